//! A look at a protobuf file before it is decoded: is it whole, and what would decoding it take?
//!
//! An empty message takes two bytes in a file and hundreds in memory, so a small hostile file could
//! fill the machine. This walks over the headers of the messages (never over weights) and adds up
//! what they will take.

use super::pb;
use super::window::Window;
use crate::memory;
use crate::site::Place;
use prost::Message as _;
use std::collections::BTreeSet;

/// How deep messages may be nested: `prost`'s own limit, so that ours is the error that is seen.
/// About 33 levels of subgraphs.
const MAX_DEPTH: usize = 100;

/// What the decoded messages may take, besides the bytes they share with the file.
const MAX_BYTES: usize = 1 << 30;

/// The share of the budget for memory that they may take: one in so many.
const SHARE_OF_BUDGET: usize = 4;

/// What a node takes where it is made of its message, which is there as long.
const NODE_BYTES: usize = size_of::<super::Node>() + size_of::<Place>();

/// What a field that is no message takes at most, if it is a text or bytes: the larger of `String`
/// and `Bytes`.
const TEXT_BYTES: usize = size_of::<bytes::Bytes>();

/// The field of a tensor with the entries that say where its data is.
const EXTERNAL_DATA: u64 = 13;

/// The most bytes of an entry with a location: the system knows no longer path.
const MOST_OF_A_LOCATION: usize = 8 << 10;

/// Why a file is not worth decoding.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum WireError {
    #[error("the field of a {message} at byte {offset} runs past its end")]
    CutOff { message: &'static str, offset: usize },
    #[error("byte {offset} should begin a field of a {message}, but does not")]
    NoField { message: &'static str, offset: usize },
    #[error("messages are nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    #[error("the decoded messages would take more than {0} MiB")]
    TooMuch(usize),
}

/// The messages worth telling apart: those that hold others, or come in large numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Message {
    Model,
    Graph,
    Function,
    Node,
    Attribute,
    Tensor,
    Sparse,
    ValueInfo,
    Type,
    /// `TypeProto.Tensor` or `TypeProto.SparseTensor`.
    TensorType,
    /// `TypeProto.Sequence` or `TypeProto.Optional`.
    ElementOf,
    /// `TypeProto.Map`.
    MapType,
    Shape,
    Dimension,
    Training,
    /// A pair of strings, or another small message that holds no more than that.
    Entry,
}

impl Message {
    /// The message in field `number`, where that holds one.
    fn field(self, number: u64) -> Option<Self> {
        use Message::{
            Attribute, Dimension, ElementOf, Entry, Function, Graph, MapType, Model, Node, Shape,
            Sparse, Tensor, TensorType, Training, Type, ValueInfo,
        };
        Some(match (self, number) {
            (Model, 7) | (Attribute, 6 | 11) | (Training, 1 | 2) => Graph,
            (Model, 20) => Training,
            (Model, 25) => Function,
            (Graph, 1) | (Function, 7) => Node,
            (Graph, 5) | (Attribute, 5 | 10) | (Sparse, 1 | 2) => Tensor,
            (Graph, 15) | (Attribute, 22 | 23) => Sparse,
            (Graph, 11..=13) | (Function, 12) => ValueInfo,
            (Node, 5) | (Function, 11) => Attribute,
            (ValueInfo | MapType, 2) | (Attribute, 14 | 15) | (ElementOf, 1) => Type,
            (Type, 1 | 8) => TensorType,
            (Type, 4 | 9) => ElementOf,
            (Type, 5) => MapType,
            (TensorType, 2) => Shape,
            (Shape, 1) => Dimension,
            (Model, 8 | 14 | 26)
            | (Graph, 14 | 16)
            | (Function, 9 | 14)
            | (Node, 9 | 10)
            | (ValueInfo, 4)
            | (Type, 7)
            | (Tensor, 3 | 13 | 16)
            | (Training, 3 | 4) => Entry,
            _ => return None,
        })
    }

    /// Name and size in memory.
    fn facts(self) -> (&'static str, usize) {
        match self {
            Message::Model => ("ModelProto", size_of::<pb::ModelProto>()),
            Message::Graph => ("GraphProto", size_of::<pb::GraphProto>()),
            Message::Function => ("FunctionProto", size_of::<pb::FunctionProto>()),
            Message::Node => ("NodeProto", size_of::<pb::NodeProto>() + NODE_BYTES),
            Message::Attribute => ("AttributeProto", size_of::<pb::AttributeProto>()),
            Message::Tensor => ("TensorProto", size_of::<pb::TensorProto>()),
            Message::Sparse => ("SparseTensorProto", size_of::<pb::SparseTensorProto>()),
            Message::ValueInfo => ("ValueInfoProto", size_of::<pb::ValueInfoProto>()),
            Message::Type | Message::TensorType | Message::ElementOf | Message::MapType => {
                ("TypeProto", size_of::<pb::TypeProto>())
            }
            Message::Shape => ("TensorShapeProto", size_of::<pb::TensorShapeProto>()),
            Message::Dimension => ("Dimension", size_of::<pb::tensor_shape_proto::Dimension>()),
            Message::Training => ("TrainingInfoProto", size_of::<pb::TrainingInfoProto>()),
            Message::Entry => ("small message", size_of::<pb::NodeDeviceConfigurationProto>()),
        }
    }
}

/// Whether what `window` reads can be decoded as a `message` in bounded memory.
pub(super) fn check(window: &mut Window, message: Message) -> Result<(), WireError> {
    let end = window.len();
    Scan { window, taken: 0, locations: None }.message(message, 0, end, 0)
}

/// The locations of external data that a `message` names. As in [`check`], no weights are read.
pub(super) fn locations(
    window: &mut Window,
    message: Message,
) -> Result<BTreeSet<String>, WireError> {
    let end = window.len();
    let mut scan = Scan { window, taken: 0, locations: Some(BTreeSet::new()) };
    scan.message(message, 0, end, 0)?;
    Ok(scan.locations.unwrap_or_default())
}

struct Scan<'a> {
    window: &'a mut Window,
    taken: usize,
    /// Where external data is, if that is asked for.
    locations: Option<BTreeSet<String>>,
}

impl Scan<'_> {
    fn message(
        &mut self,
        message: Message,
        start: usize,
        end: usize,
        depth: usize,
    ) -> Result<(), WireError> {
        if depth > MAX_DEPTH {
            return Err(WireError::TooDeep);
        }
        let (name, size) = message.facts();
        self.take(size)?;
        let mut at = start;
        while at < end {
            let no_field = WireError::NoField { message: name, offset: at };
            let cut_off = WireError::CutOff { message: name, offset: at };
            let tag = self.varint(&mut at, end).ok_or(no_field.clone())?;
            match (tag >> 3, tag & 7) {
                (0, _) => return Err(no_field),
                (_, 0) => {
                    self.varint(&mut at, end).ok_or(cut_off)?;
                    self.take(size_of::<i64>())?;
                }
                (_, 1) => at = skip(at, 8, end).ok_or(cut_off)?,
                (_, 5) => at = skip(at, 4, end).ok_or(cut_off)?,
                (field, 2) => {
                    let length = self.varint(&mut at, end).ok_or(cut_off.clone())?;
                    let next = skip(at, length, end).ok_or(cut_off)?;
                    if (message, field) == (Message::Tensor, EXTERNAL_DATA) {
                        self.external(at, next)?;
                    }
                    match message.field(field) {
                        Some(inner) => self.message(inner, at, next, depth + 1)?,
                        None => self.take(TEXT_BYTES)?,
                    }
                    at = next;
                }
                _ => return Err(no_field),
            }
        }
        Ok(())
    }

    /// Notes the location in an entry of a tensor's external data.
    fn external(&mut self, start: usize, end: usize) -> Result<(), WireError> {
        if self.locations.is_none() || end - start > MOST_OF_A_LOCATION {
            return Ok(());
        }
        self.take(end - start)?;
        let entry = pb::StringStringEntryProto::decode(self.window.peek(start, end - start));
        if let (Ok(entry), Some(locations)) = (entry, &mut self.locations)
            && entry.key() == "location"
        {
            locations.insert(entry.value().to_owned());
        }
        Ok(())
    }

    fn take(&mut self, bytes: usize) -> Result<(), WireError> {
        self.taken += bytes;
        let most = MAX_BYTES.min(memory::budget() / SHARE_OF_BUDGET);
        if self.taken > most { Err(WireError::TooMuch(most >> 20)) } else { Ok(()) }
    }

    /// A variable-length number at `at`, which moves behind it; `None` where it is longer than 64
    /// bits or `end`.
    fn varint(&mut self, at: &mut usize, end: usize) -> Option<u64> {
        let mut value = 0u64;
        for (i, &byte) in self.window.peek(*at, end.checked_sub(*at)?.min(10)).iter().enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * i);
            if byte < 0x80 {
                *at += i + 1;
                return Some(value);
            }
        }
        None
    }
}

/// The position `length` bytes after `at`; `None` where that is behind `end`.
fn skip(at: usize, length: u64, end: usize) -> Option<usize> {
    at.checked_add(usize::try_from(length).ok()?).filter(|&next| next <= end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_bytes(bytes: &[u8]) -> Result<(), WireError> {
        check(&mut Window::of_bytes(bytes.to_vec().into()), Message::Model)
    }

    #[test]
    fn damage_is_found_with_its_place() {
        let cases: [(&[u8], &str); 7] = [
            (&[0x08, 7, 0x3a, 5, 0x0a], "the field of a ModelProto at byte 2 runs past its end"),
            (&[0x08], "the field of a ModelProto at byte 0 runs past its end"),
            (&[0x08, 7, 0x3a, 2, 0x0a, 9], "the field of a GraphProto at byte 4 runs past its end"),
            (&[0x3d, 1, 2, 3], "the field of a ModelProto at byte 0 runs past its end"),
            (&[0x08, 7, 0x02, 0], "byte 2 should begin a field of a ModelProto, but does not"),
            (&[0x3a, 1, 0x0b], "byte 2 should begin a field of a GraphProto, but does not"),
            (&[0xff; 16], "byte 0 should begin a field of a ModelProto, but does not"),
        ];
        for (bytes, expected) in cases {
            assert_eq!(check_bytes(bytes).unwrap_err().to_string(), expected, "{bytes:x?}");
        }
        // Fields that the format does not have (yet) are no damage.
        assert_eq!(check_bytes(&[0xfa, 0x7f, 1, 0, 0xf1, 0x7f, 1, 2, 3, 4, 5, 6, 7, 8]), Ok(()));
    }

    #[test]
    fn locations_are_found_wherever_tensors_are() {
        use super::super::fixture::{external, graph, model};
        let tensor = |location| external("w", &[1], &[("location", location), ("length", "4")]);
        let of_tensor =
            pb::AttributeProto { t: Some(Box::new(tensor("node"))), ..Default::default() };
        let inner = pb::GraphProto { initializer: vec![tensor("inner")], ..Default::default() };
        let of_graph = pb::AttributeProto { g: Some(inner), ..Default::default() };
        let node = pb::NodeProto { attribute: vec![of_tensor, of_graph], ..Default::default() };
        let function = pb::FunctionProto { node: vec![node], ..Default::default() };
        let long = "x".repeat(MOST_OF_A_LOCATION);
        let initializer = vec![tensor("main"), tensor("main"), tensor("../out"), tensor(&long)];
        let main = pb::GraphProto { initializer, ..graph("", "w", vec![]) };
        let model = pb::ModelProto { functions: vec![function], ..model(main) };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.onnx");
        std::fs::write(&path, model.encode_to_vec()).unwrap();
        let found = super::super::external_files(&path).unwrap();
        assert_eq!(found, ["inner", "main", "node"].map(|name| folder.path().join(name)));
        std::fs::write(&path, [0x08]).unwrap();
        let expected = format!(
            "the file is not an ONNX model, or is damaged\n  in {}\n  cause: the field of a \
             ModelProto at byte 0 runs past its end",
            path.display()
        );
        assert_eq!(super::super::external_files(&path).unwrap_err().to_string(), expected);
    }

    /// The message that a message of the format is taken for.
    fn known(name: &str) -> Message {
        match name.trim_start_matches(".onnx.") {
            "ModelProto" => Message::Model,
            "GraphProto" => Message::Graph,
            "FunctionProto" => Message::Function,
            "NodeProto" => Message::Node,
            "AttributeProto" => Message::Attribute,
            "TensorProto" => Message::Tensor,
            "SparseTensorProto" => Message::Sparse,
            "ValueInfoProto" => Message::ValueInfo,
            "TypeProto" => Message::Type,
            "TypeProto.Tensor" | "TypeProto.SparseTensor" => Message::TensorType,
            "TypeProto.Sequence" | "TypeProto.Optional" => Message::ElementOf,
            "TypeProto.Map" => Message::MapType,
            "TensorShapeProto" => Message::Shape,
            "TensorShapeProto.Dimension" => Message::Dimension,
            "TrainingInfoProto" => Message::Training,
            _ => Message::Entry,
        }
    }

    #[test]
    fn numbers_of_fields_are_those_of_the_format() {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/proto");
        let set = protox::compile([format!("{root}/onnx.proto")], [root]).unwrap();
        let mut left: Vec<_> =
            set.file[0].message_type.iter().map(|of| (String::new(), of.clone())).collect();
        let (mut messages, mut wrong) = (0, Vec::new());
        while let Some((outer, message)) = left.pop() {
            let name = format!("{outer}{}", message.name());
            left.extend(message.nested_type.iter().map(|of| (format!("{name}."), of.clone())));
            if known(&name) == Message::Entry {
                continue;
            }
            messages += 1;
            for field in &message.field {
                let number = u64::try_from(field.number()).unwrap();
                let holds = (!field.type_name().is_empty() && field.r#type == Some(11))
                    .then(|| known(field.type_name()));
                if known(&name).field(number) != holds {
                    wrong.push(format!("{name}.{} = {number}: {holds:?}", field.name()));
                }
            }
        }
        assert_eq!((messages, wrong), (17, Vec::<String>::new()));
    }
}
