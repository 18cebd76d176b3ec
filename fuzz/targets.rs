//! What is fed, and what must hold whatever it is fed.

use crate::draw::Draw;
use crate::models::{self, MODELS, model};
use onnx2plan::convert::On;
use onnx2plan::convert::replay::PlanFile;
use onnx2plan::import::Fitted;
use onnx2plan::network::{Caps, Dim, Network, ValueId};
use onnx2plan::recipe::Recipe;
use onnx2plan::report::manifest::{self, File, Made, Manifest, Verdict};
use onnx2plan::report::render::{self, About};
use onnx2plan::report::zoo::{Effort, ModelReport, Options, Report, Status};
use onnx2plan::report::{Environment, github, junit, read};
use onnx2plan::tensor::{Tensor, volume};
use onnx2plan::verify::{npz, random};
use onnx2plan::zoo::job::Settings;
use onnx2plan::zoo::listing;
use onnx2plan::{Error, Kind, eval, onnx, pipeline};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// Whether the input was taken; what is broken, if anything is.
pub(crate) type Target = fn(&mut Draw) -> Result<bool, String>;

pub(crate) const ALL: &[(&str, Target)] = &[
    ("decode", decode),
    ("import", import),
    ("agree", agree),
    ("sizes", sizes),
    ("data", data),
    ("npz", archive),
    ("manifest", manifest),
    ("report", report),
    ("listing", listing),
    ("names", names),
];

/// The largest value that is computed, in elements: what is larger only takes longer.
const MOST_ELEMENTS: usize = 1 << 16;

/// The most memory this process ever held, in MiB.
pub(crate) fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kilobytes.unwrap_or_default() / 1024
}

/// An error is an answer, unless it says that we are wrong or says it in a way that is obeyed.
fn answered<T>(result: onnx2plan::Result<T>) -> Result<Option<T>, String> {
    let error = match result {
        Ok(value) => return Ok(Some(value)),
        Err(error) => error,
    };
    if error.kind() == Kind::Internal {
        return Err(error.to_string());
    }
    plain(&error.to_string()).map(|()| None)
}

/// Whether a terminal shows a text as it is, and no CI system obeys it.
fn plain(text: &str) -> Result<(), String> {
    let odd = |each: char| {
        (each.is_control() && each != '\n') || ['\u{202e}', '\u{fffe}'].contains(&each)
    };
    let commands = ["##[", "##vso["];
    if text.contains(odd) || commands.iter().any(|command| text.contains(command)) {
        return Err(format!("shown as it is: {text:?}"));
    }
    Ok(())
}

fn decode(draw: &mut Draw) -> Result<bool, String> {
    let at = draw.below(MODELS.len());
    let bytes = draw.changed(&MODELS[at]);
    Ok(answered(onnx::decode(bytes.into(), Path::new("")))?.is_some())
}

fn import(draw: &mut Draw) -> Result<bool, String> {
    let Some(network) = network(draw)? else { return Ok(false) };
    Ok(answered(pipeline::finish(network, &[], Caps::modern()))?.is_some())
}

fn network(draw: &mut Draw) -> Result<Option<Network>, String> {
    let bytes = model(draw);
    let Some(model) = answered(onnx::decode(bytes.into(), Path::new("")))? else { return Ok(None) };
    let fitted = Fitted::standard(Caps::modern());
    Ok(answered(pipeline::import_model(&model, &fitted))?.map(|imported| imported.network))
}

/// What is computed has the types and sizes that were inferred.
fn agree(draw: &mut Draw) -> Result<bool, String> {
    let Some(network) = network(draw)? else { return Ok(false) };
    let small = |id: &ValueId| {
        let dims = network.value(*id).ty.shape.known()?;
        Some(dims).filter(|dims| volume(dims).is_some_and(|count| count <= MOST_ELEMENTS))
    };
    let shapes: Option<Vec<_>> = network.inputs.iter().map(small).collect();
    let layers = network.live_layers();
    let all_small = layers
        .iter()
        .flat_map(|&id| &network.layer(id).outputs)
        .all(|id| network.value(*id).ty.shape.known().is_none() || small(id).is_some());
    let Some(shapes) = shapes.filter(|_| all_small) else { return Ok(false) };
    let Some(inputs) = answered(random::inputs(&network, &shapes, draw.bits()))? else {
        return Ok(false);
    };
    let mut wrong = None;
    let mut check = |id: ValueId, tensor: &Tensor| {
        let ty = &network.value(id).ty;
        let sizes = ty.shape.iter().zip(tensor.dims());
        let fits = ty.dtype == tensor.dtype()
            && ty.shape.rank() == tensor.dims().len()
            && sizes.into_iter().all(|(dim, &size)| dim.size().is_none_or(|known| known == size));
        if !fits {
            let (given, dims) = (tensor.dtype(), tensor.dims());
            wrong = Some(format!("{} was inferred, {given}{dims:?} computed", network.ty(id)));
        }
    };
    let ran = eval::run_with(&network, &inputs, &mut check);
    let ran = answered(ran)?.is_some();
    wrong.map_or(Ok(ran), |wrong| Err(format!("{wrong}\n{network}")))
}

/// A size that is computed has the value that arithmetic gives it.
fn sizes(draw: &mut Draw) -> Result<bool, String> {
    let values: Vec<i64> = (0..3).map(|_| draw.below(50).cast_signed() as i64).collect();
    let (dim, expected) = size(draw, &values, 4);
    let named = |name: &str| ["A", "B", "C"].iter().position(|known| *known == name);
    let value =
        |symbol: &onnx2plan::network::Symbol| named(&symbol.to_string()).map(|at| values[at]);
    match (dim.eval(&value), expected) {
        (Some(found), Some(expected)) if found != expected => {
            Err(format!("{dim} with {values:?} is {expected}, not {found}"))
        }
        (_, expected) => Ok(expected.is_some()),
    }
}

/// An expression, and what it comes to; `None` where it saturates or divides by nothing.
fn size(draw: &mut Draw, values: &[i64], depth: usize) -> (Dim, Option<i64>) {
    if depth == 0 || draw.once_in(4) {
        let at = draw.below(5);
        return match (["A", "B", "C"].get(at), values.get(at)) {
            (Some(name), Some(&value)) => (Dim::named(*name), Some(value)),
            _ if draw.once_in(10) => (Dim::Known(draw.odd()), None),
            _ => {
                let known = draw.below(20).cast_signed() as i64 - 4;
                (Dim::Known(known), Some(known))
            }
        };
    }
    let (a, x) = size(draw, values, depth - 1);
    let (b, y) = size(draw, values, depth - 1);
    let both = x.zip(y);
    match draw.below(6) {
        0 => (&a + &b, both.and_then(|(x, y)| x.checked_add(y))),
        1 => (&a - &b, both.and_then(|(x, y)| x.checked_sub(y))),
        2 => (&a * &b, both.and_then(|(x, y)| x.checked_mul(y))),
        3 => (a.maximum(&b), both.map(|(x, y)| x.max(y))),
        4 => (a.minimum(&b), both.map(|(x, y)| x.min(y))),
        _ => {
            let by = 1 + draw.below(9).cast_signed() as i64;
            let quotient = a.floor_div(&Dim::Known(by));
            (quotient.unwrap_or(Dim::Known(0)), x.map(|x| x.div_euclid(by)))
        }
    }
}

/// A folder for the inputs that must be files.
static FOLDER: LazyLock<tempfile::TempDir> = LazyLock::new(|| tempfile::tempdir().unwrap());

fn written(name: &str, bytes: &[u8]) -> PathBuf {
    let path = FOLDER.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

fn data(draw: &mut Draw) -> Result<bool, String> {
    static DATA: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| models::files(".pb"));
    let at = draw.below(DATA.len());
    let path = written("input_0.pb", &draw.changed(&DATA[at]));
    Ok(answered(onnx::read_tensor(&path))?.is_some())
}

fn archive(draw: &mut Draw) -> Result<bool, String> {
    let dtype = draw.of(&["<f4", "<f2", "<f8", "<i8", "|b1", "|u1", ">f4", "|O", "<U4"]);
    let (order, shape) =
        (draw.of(&["False", "True"]), [draw.odd(), draw.below(5).cast_signed() as i64]);
    let shape = if draw.once_in(3) { shape } else { [2, 3] };
    let mut header = format!(
        "{{'descr': '{dtype}', 'fortran_order': {order}, 'shape': ({}, {}), }}",
        shape[0], shape[1]
    );
    header += &" ".repeat(63 - (header.len() + 10) % 64);
    let mut array = b"\x93NUMPY\x01\x00".to_vec();
    array.extend(u16::try_from(header.len() + 1).unwrap().to_le_bytes());
    array.extend(header.bytes());
    array.push(b'\n');
    array.extend(vec![1; 6 * 8]);
    if draw.once_in(2) {
        array = draw.changed(&array);
    }
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file("x.npy", zip::write::SimpleFileOptions::default()).unwrap();
    zip.write_all(&array).unwrap();
    let mut bytes = zip.finish().unwrap().into_inner();
    if draw.once_in(2) {
        bytes = draw.changed(&bytes);
    }
    Ok(answered(npz::read(&written("x.npz", &bytes), &["x"]))?.is_some())
}

fn manifest(draw: &mut Draw) -> Result<bool, String> {
    let file = |name: &str, bytes: &[u8]| File {
        name: name.to_owned(),
        bytes: bytes.len() as u64,
        sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".to_owned(),
    };
    let other = draw.text();
    let manifest = Manifest {
        schema: manifest::SCHEMA,
        producer: "onnx2plan".to_owned(),
        model: file(if draw.once_in(3) { "../x" } else { "m.onnx" }, b"abc"),
        external: vec![file(if draw.once_in(3) { &other } else { "w.bin" }, b"abc")],
        plan: file("x.plan", b"abc"),
        library: "TensorRT-RTX 1.7.1".to_owned(),
        targets: Vec::new(),
        inputs: Vec::new(),
        outputs: Vec::new(),
        layers: Vec::new(),
        options: Made {
            recipe: Recipe::default(),
            ranges: BTreeMap::from([(draw.text(), [draw.odd(), draw.odd()])]),
            frozen: Vec::new(),
        },
        notes: vec![draw.text()],
        precision: None,
        mends: Vec::new(),
        verification: Verdict::NotRun,
    };
    let text = serde_json::to_vec(&manifest).unwrap();
    for name in ["x.plan", "m.onnx", "w.bin"] {
        written(name, b"abc");
    }
    written("x.plan.json", &if draw.once_in(4) { text } else { draw.changed(&text) });
    let plan = answered(PlanFile::open(&FOLDER.path().join("x.plan"), None))?.flatten();
    Ok(plan.is_some_and(|plan| plan.recipe(None).is_ok()))
}

fn report(draw: &mut Draw) -> Result<bool, String> {
    let options = Options {
        recipe: Recipe::default(),
        on: "cpu".to_owned(),
        freeze_from_data: false,
        verify: Effort::Full,
        tolerance: None,
        metric: Vec::new(),
        jobs: 1,
        timeout_seconds: None,
        memory_bytes: None,
        include: vec![draw.text()],
        exclude: Vec::new(),
        tags: Vec::new(),
        listing: None,
    };
    let model = |draw: &mut Draw| ModelReport {
        reason: Some(draw.text()),
        details: Some(draw.text()),
        ..ModelReport::new(&draw.text(), &draw.text(), *draw.of(&Status::ALL))
    };
    let models = (0..3).map(|_| model(draw)).collect();
    let report = Report::new(Environment::here(None), options, 1.0, models);
    let text = serde_json::to_vec(&report).unwrap();
    let path = written("report.json", &if draw.once_in(4) { text } else { draw.changed(&text) });
    let Some(saved) = answered(read::zoo(&path))? else { return Ok(false) };
    for model in &saved.report.models {
        answered(saved.page(model.page.as_deref().unwrap_or_default()))?;
    }
    let xml = answered(junit::text(&saved.report))?.unwrap_or_default();
    plain(&xml)?;
    let told = github::annotations(&saved.report);
    plain(&told)?;
    let commands = ["::error file=", "::notice file="];
    if told.lines().any(|line| !commands.iter().any(|command| line.starts_with(command))) {
        return Err(format!("no command of ours: {told}"));
    }
    Ok(answered(render::files(About::Zoo, &saved.report))?.is_some())
}

/// The listings, each with a folder where the models that it names are, as far as names go.
fn listings() -> Vec<(PathBuf, Vec<u8>)> {
    let home = models::home();
    let of_path = |path: PathBuf| {
        let beside = path.parent().unwrap();
        let folder = FOLDER.path().join(beside.strip_prefix(&home).unwrap());
        for model in models::paths(beside, ".onnx") {
            let empty = folder.join(model.strip_prefix(beside).unwrap());
            std::fs::create_dir_all(empty.parent().unwrap()).unwrap();
            std::fs::write(empty, "").unwrap();
        }
        (folder, std::fs::read(path).unwrap())
    };
    models::paths(&home, ".toml").into_iter().map(of_path).collect()
}

fn listing(draw: &mut Draw) -> Result<bool, String> {
    static LISTINGS: LazyLock<Vec<(PathBuf, Vec<u8>)>> = LazyLock::new(listings);
    let at = draw.below(LISTINGS.len());
    let (folder, text) = &LISTINGS[at];
    let path = folder.join("zoo.toml");
    std::fs::write(&path, draw.changed(text)).unwrap();
    let settings = Settings::plain(On::Cpu);
    Ok(answered(listing::read(&path, &settings, Caps::modern()))?.is_some())
}

/// Whatever errors are made of.
fn names(draw: &mut Draw) -> Result<bool, String> {
    let error = Error::new(Kind::Usage, draw.text())
        .with_note(draw.text())
        .with_hint(draw.text())
        .with_source(draw.text())
        .in_model(Path::new(&draw.text()));
    plain(&error.to_string())?;
    serde_json::from_str::<serde_json::Value>(&error.to_json().to_string())
        .map_err(|error| error.to_string())?;
    Ok(true)
}
