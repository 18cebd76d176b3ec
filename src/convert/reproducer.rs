//! What TensorRT fails at as a model of its own, to report it: the nodes behind the layers, with
//! types and sizes at their ends.

use super::failing::{Failing, Limit};
use super::{Conversion, Source};
use crate::error::said::Said;
use crate::error::{Error, Result};
use crate::files;
use crate::network::profile::Range;
use crate::network::{Dim, Network, Profile, Shape, Symbol, ValueId, ValueType};
use crate::onnx::part::{Feed, Part, Whole};
use crate::onnx::{DimSpec, Model};
use crate::pipeline;
use crate::profiles::part::Ends;
use crate::profiles::{self, Data};
use crate::recipe::sizes::{Request, Sizes};
use crate::recipe::{Recipe, line};
use crate::shown;
use crate::site::Site;
use crate::tensor::DType;
use crate::trt::Library;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// A shape or the like has at most so many elements; longer lists of whole numbers are data.
const MOST_SHAPE_ELEMENTS: i64 = 64;

/// A model at which TensorRT fails as at the whole.
#[derive(Debug)]
pub struct Reproducer {
    part: Part,
    /// What is said of it.
    text: String,
}

/// What is written into the folder.
const FILES: [&str; 2] = ["model.onnx", "README.md"];

/// The files that a reproducer makes in a folder.
pub fn writes(folder: &Path) -> Vec<PathBuf> {
    FILES.iter().map(|file| folder.join(file)).collect()
}

impl Reproducer {
    /// Writes the model, and how TensorRT's own tool shows what is wrong with it.
    ///
    /// # Errors
    /// [`Kind::Environment`](crate::Kind::Environment) where a file cannot be written; those of
    /// [`Part::bytes`].
    pub fn write(&self, folder: &Path) -> Result<()> {
        let contents = [self.part.bytes()?, self.text.clone().into_bytes()];
        for (path, bytes) in writes(folder).iter().zip(contents) {
            files::write(path, &bytes)?;
        }
        Ok(())
    }
}

impl Conversion {
    /// The nodes behind what fails as a model, if TensorRT fails at that in the same way: alone, or
    /// with all that stand between them.
    ///
    /// # Errors
    /// Of reading the model once more, and of cutting it.
    pub fn reproducer(
        &self,
        library: &Library,
        source: &Source,
        (failing, said): (&Failing, &Said),
        limit: Limit<'_>,
    ) -> Result<Option<Reproducer>> {
        let whole = source.whole()?;
        let nodes = steps(&whole, failing);
        let between = nodes.first().zip(nodes.last()).map(|(&from, &to)| (from..=to).collect());
        for nodes in [Some(nodes.clone()), between].into_iter().flatten() {
            let Nodes { part, model, request } = self.around(&whole, nodes)?;
            let Ok(network) = self.part(&model) else { continue };
            let Ok(planned) = profiles::plan(&network, &request, &Data::default()) else {
                continue;
            };
            let at = (planned.profiles(), self.fitted.recipe.optimization_level);
            let built = self.attempt(library, network.clone().into_inner(), at, limit);
            let failed = built.err().filter(|error| error.said().is_some_and(|s| said.is_like(s)));
            if let Some(error) = failed {
                let profile = planned.profiles().pop().unwrap_or_default();
                let text = self.text(library, &error, (&whole, &model), &profile);
                return Ok(Some(Reproducer { part, text }));
            }
        }
        Ok(None)
    }

    /// These nodes as a model, and those that compute shapes for them.
    fn around(&self, whole: &Whole, mut nodes: BTreeSet<usize>) -> Result<Nodes> {
        loop {
            let (from, to) = whole.around(&nodes);
            let to: Vec<&str> = to.iter().map(String::as_str).collect();
            let (network, values) = self.types(whole, &from)?;
            let shapes = |(name, id): &(String, ValueId)| {
                is_shape(&network.value(*id).ty).then(|| name.clone())
            };
            let makers = values.iter().filter_map(shapes).filter_map(|name| {
                whole.nodes().iter().position(|node| node.outputs.contains(&name))
            });
            let before = nodes.len();
            nodes.extend(makers);
            if nodes.len() > before {
                continue;
            }
            let dims: Vec<(DType, Vec<DimSpec>)> =
                values.iter().map(|(name, id)| stated(&network, name, *id)).collect();
            let feeds: Vec<(&str, Feed<'_>)> = values
                .iter()
                .zip(&dims)
                .map(|((name, _), (dtype, dims))| (name.as_str(), Feed::Typed(*dtype, dims)))
                .collect();
            let part = whole.part(&feeds, &to)?;
            let model = part.model()?;
            let ends = Ends::new(&network, &self.profiles());
            let request = self.request(&model, ends.ranges(&values));
            return Ok(Nodes { part, model, request });
        }
    }

    /// Types and shapes of tensors inside the model, as its nodes say them.
    fn types(&self, whole: &Whole, names: &[String]) -> Result<(Network, Vec<(String, ValueId)>)> {
        if names.is_empty() {
            return Ok((Network::default(), Vec::new()));
        }
        let to: Vec<&str> = names.iter().map(String::as_str).collect();
        let model = whole.part(&[], &to)?.model()?;
        let given: BTreeSet<&str> = model.graph.inputs.iter().map(|info| &*info.name).collect();
        let mut fitted = self.fitted.clone();
        fitted.constants.retain(|name, _| given.contains(name.as_str()));
        fitted.recipe.part = crate::recipe::Part::default();
        let network = pipeline::import_model(&model, &fitted)?.network;
        let outputs = network.outputs.iter();
        let values = outputs.map(|output| (output.name.to_string(), output.value)).collect();
        Ok((network, values))
    }

    /// The sizes of a part's inputs: the model's own as they were, the others as they follow.
    fn request(&self, model: &Model, inner: Vec<Range>) -> Request {
        let mut request = Request::default();
        let profile = self.profiles().into_iter().next().unwrap_or_default();
        let is_input =
            |range: &Range| model.graph.inputs.iter().any(|info| *info.name == *range.input);
        let own = profile.inputs.into_iter().filter(is_input);
        for Range { input, min, opt, max } in own.chain(inner) {
            for (end, shape) in
                [(&mut request.min, min), (&mut request.opt, opt), (&mut request.max, max)]
            {
                end.shapes.insert(input.clone(), shape);
            }
        }
        for Range { input, min, opt, max } in profile.values.into_iter().filter(is_input) {
            for (end, values) in
                [(&mut request.min, min), (&mut request.opt, opt), (&mut request.max, max)]
            {
                end.values.insert(input.clone(), values);
            }
        }
        request
    }

    /// What a reader of the folder needs to know.
    fn text(
        &self,
        library: &Library,
        error: &Error,
        (whole, model): (&Whole, &Model),
        profile: &Profile,
    ) -> String {
        let version = library.version();
        let labels: Vec<String> = model
            .graph
            .nodes
            .iter()
            .filter_map(|node| {
                let place = node.site.place();
                let step = whole.nodes().iter().find(|step| step.outputs.contains(&place.output));
                Some(format!("- {}\n", shown::line(&step?.label)))
            })
            .collect();
        let said =
            error.said().map_or_else(|| error.message().to_owned(), |said| said.text.clone());
        // Names come from the model, and the file is read on a terminal.
        let [tool, command] = [self.tool(version.rtx, profile), self.command(profile)]
            .map(|line| shown::escaped(&line));
        let mut text = format!(
            "# A model that {version} does not build\n\n{}\nIt says:\n\n```\n{}\n```\n\n\
             TensorRT's own tool, whose parser may make other layers of the nodes:\n\n```\n{tool}\n\
             ```\n\nonnx2plan:\n\n```\n{command}\n```\n",
            labels.concat(),
            shown::lines(&said),
        );
        let _ = write!(text, "\nCut out by onnx2plan {}.\n", env!("CARGO_PKG_VERSION"));
        text
    }

    /// How TensorRT's own tool builds it.
    fn tool(&self, rtx: bool, profile: &Profile) -> String {
        let mut words = vec![if rtx { "tensorrt_rtx" } else { "trtexec" }.to_owned()];
        words.push("--onnx=model.onnx".to_owned());
        for (end, at) in ["min", "opt", "max"].into_iter().zip(0..) {
            let shape = |Range { input, min, opt, max }: &Range| {
                let sizes = [min, opt, max].into_iter().nth(at).into_iter().flatten();
                let sizes: Vec<String> = sizes.map(ToString::to_string).collect();
                format!("{input}:{}", sizes.join("x"))
            };
            let shapes: Vec<String> = profile.inputs.iter().map(shape).collect();
            if !shapes.is_empty() {
                words.push(format!("--{end}Shapes={}", shapes.join(",")));
            }
        }
        if !rtx && self.caps.strongly_typed {
            words.push("--stronglyTyped".to_owned());
        }
        if self.fitted.recipe.no_tf32 {
            words.push("--noTF32".to_owned());
        }
        quoted(&words)
    }

    /// How onnx2plan builds it.
    fn command(&self, profile: &Profile) -> String {
        let sizes = self.fitted.recipe.sizes.clone();
        let common = super::request(profile);
        let sizes = Sizes { common, profiles: Vec::new(), shapes: sizes.shapes, ..sizes };
        let part = crate::recipe::Part::default();
        let recipe = Recipe { part, sizes, ..self.fitted.recipe.clone() };
        let words = ["onnx2plan".to_owned(), "model.onnx".to_owned()].into_iter();
        let words: Vec<String> = words.chain(line::words(&recipe)).collect();
        quoted(&words)
    }
}

/// Words as a shell reads them; those that need no quotes have none.
fn quoted(words: &[String]) -> String {
    let is_plain =
        |word: &&String| word.chars().all(|c| c.is_alphanumeric() || "-_=:,./".contains(c));
    let quoted = words.iter().map(|word| match Some(word).filter(is_plain) {
        Some(plain) => plain.as_str().into(),
        None => shlex::try_quote(word).unwrap_or_default(),
    });
    quoted.collect::<Vec<_>>().join(" ")
}

/// A part, and the sizes of its inputs.
struct Nodes {
    part: Part,
    model: Model,
    request: Request,
}

/// The nodes of the model, by position, behind what fails; for those of nested graphs and functions
/// the node that has these.
fn steps(whole: &Whole, failing: &Failing) -> BTreeSet<usize> {
    let behind = |site: &Site| {
        let place = site.place();
        let inside = place.graph.strip_prefix("main/");
        whole.nodes().iter().position(|step| match inside {
            None => step.outputs.contains(&place.output),
            Some(path) => path
                .strip_prefix(step.name.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '/'])),
        })
    };
    failing.nodes.iter().filter_map(behind).collect()
}

fn is_shape(ty: &ValueType) -> bool {
    let short = |size: &Dim| size.known().is_some_and(|size| size <= MOST_SHAPE_ELEMENTS);
    ty.dtype.is_int() && ty.shape.rank() <= 1 && ty.shape.iter().all(short)
}

/// The type of a tensor as a model states it.
fn stated(network: &Network, name: &str, value: ValueId) -> (DType, Vec<DimSpec>) {
    let ty = &network.value(value).ty;
    let declared = network.outputs.iter().find(|output| *output.name == *name);
    let dtype = declared.and_then(|output| output.declared).unwrap_or(ty.dtype);
    (dtype, dims(&ty.shape))
}

fn dims(shape: &Shape) -> Vec<DimSpec> {
    let spec = |dim: &Dim| match (dim.size(), dim.as_symbol()) {
        (Some(size), _) => DimSpec::Known(size),
        (None, Some(Symbol::Named(name))) => DimSpec::Symbol(name.clone()),
        (None, _) => DimSpec::Symbol(dim.to_string().into()),
    };
    shape.iter().map(spec).collect()
}
