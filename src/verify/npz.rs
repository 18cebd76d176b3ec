//! Inputs by name from an archive of NumPy arrays (`numpy.savez`).

use super::data::{Entry, at_boundary};
use crate::error::{Error, Kind, Result};
use crate::eval;
use crate::memory;
use crate::network::layer::Shuffle;
use crate::onnx::Constant;
use crate::tensor::{Element, Tensor, volume};
use npyz::{Deserialize, NpyFile, Order};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The most bytes of one array.
const MAX_BYTES: u64 = 1 << 33;

/// Reads the arrays of an archive, whose names are those of the model's inputs.
///
/// # Errors
/// [`Kind::Usage`] for a file that is no such archive, holds an array of another type, or one that
/// is no input; [`Kind::Environment`] for an array that memory has no room for.
pub fn read(path: &Path, inputs: &[&str]) -> Result<Vec<Entry>> {
    let shown = path.display();
    let usage = |message: String| Error::new(Kind::Usage, message);
    let file =
        File::open(path).map_err(|error| usage(format!("cannot read `{shown}`: {error}")))?;
    let not_archive =
        |error| usage(format!("`{shown}` is no archive of NumPy arrays")).with_source(error);
    let mut archive = zip::ZipArchive::new(file).map_err(not_archive)?;
    let mut entries = Vec::with_capacity(archive.len());
    for at in 0..archive.len() {
        let file = archive
            .by_index(at)
            .map_err(|error| usage(format!("`{shown}` is damaged")).with_source(error))?;
        let name = file
            .name()
            .map_err(|error| usage(format!("`{shown}` is damaged")).with_source(error))?;
        let name = name.strip_suffix(".npy").unwrap_or(&name).to_owned();
        if !inputs.contains(&name.as_str()) {
            return Err(usage(format!(
                "`{shown}` holds an array `{name}`, which is no input of the model"
            ))
            .with_note(format!("its inputs are {}", list(inputs))));
        }
        let mut bytes = Vec::new();
        // They are held twice while a tensor is made of them.
        let most = MAX_BYTES.min(u64::try_from(memory::left() / 2).unwrap_or(MAX_BYTES));
        let read = file.take(most + 1).read_to_end(&mut bytes).map_err(|error| error.to_string());
        if bytes.len() as u64 > most {
            let message = format!("array `{name}` of `{shown}` takes more than {most} bytes");
            return Err(Error::new(Kind::Environment, message)
                .with_hint("give more memory with `--memory`"));
        }
        let tensor = read.and_then(|_| array(&bytes));
        let tensor = tensor
            .map_err(|why| usage(format!("cannot read array `{name}` of `{shown}`: {why}")))?;
        entries.push(Entry { name, data: Constant::Tensor(at_boundary(&tensor)) });
    }
    if let Some(missing) =
        inputs.iter().find(|name| !entries.iter().any(|entry| entry.name == **name))
    {
        return Err(usage(format!("`{shown}` has no array `{missing}`"))
            .with_note(format!("the inputs of the model are {}", list(inputs))));
    }
    Ok(entries)
}

fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// The array that the bytes of an `.npy` file are.
fn array(bytes: &[u8]) -> Result<Tensor, String> {
    let file = NpyFile::new(bytes).map_err(|error| error.to_string())?;
    let dims =
        file.shape().iter().map(|&size| usize::try_from(size)).collect::<Result<Vec<_>, _>>();
    let dims = dims.map_err(|error| error.to_string())?;
    let element = file.dtype().descr();
    let element = element.trim_matches('\'').to_owned();
    let size: usize = element.get(2..).and_then(|digits| digits.parse().ok()).unwrap_or(1);
    if volume(&dims)
        .and_then(|count| count.checked_mul(size))
        .is_none_or(|needed| needed > bytes.len())
    {
        return Err(format!("its shape {dims:?} takes more data than there is"));
    }
    let order = file.order();
    // As they lie in memory: the axes of an array in Fortran's order come last to first.
    let stored: Vec<usize> =
        if order == Order::Fortran { dims.iter().rev().copied().collect() } else { dims };
    let tensor = match element.get(1..) {
        Some("f4") => of::<f32>(file, stored),
        Some("f2") => of::<half::f16>(file, stored),
        Some("f8") => of::<f64>(file, stored),
        Some("i8") => of::<i64>(file, stored),
        Some("i4") => of::<i32>(file, stored),
        Some("i2") => of::<i16>(file, stored),
        Some("i1") => of::<i8>(file, stored),
        Some("u8") => of::<u64>(file, stored),
        Some("u4") => of::<u32>(file, stored),
        Some("u2") => of::<u16>(file, stored),
        Some("u1") => of::<u8>(file, stored),
        Some("b1") => {
            let values = file.into_vec::<bool>().map_err(|error| error.to_string())?;
            Tensor::of_bools(stored, values).map_err(|error| error.to_string())
        }
        _ => Err(format!("elements of type {element} are not supported")),
    }?;
    if order == Order::C { Ok(tensor) } else { reversed(&tensor) }
}

fn of<T: Element + Deserialize>(file: NpyFile<&[u8]>, dims: Vec<usize>) -> Result<Tensor, String> {
    let values = file.into_vec::<T>().map_err(|error| error.to_string())?;
    Tensor::of(dims, values).map_err(|error| error.to_string())
}

/// The tensor with its axes last to first.
fn reversed(tensor: &Tensor) -> Result<Tensor, String> {
    let shuffle = Shuffle {
        first_transpose: Some((0..tensor.dims().len()).rev().collect()),
        ..Shuffle::default()
    };
    let outputs = eval::layer(&shuffle.into(), &[tensor]).map_err(|error| error.to_string())?;
    outputs.into_iter().next().ok_or_else(|| "it cannot be transposed".to_owned())
}
