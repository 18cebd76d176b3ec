//! The attributes of a layer as text: one form for golden files, `inspect --layers` and tables.

use super::{Arg, PaddingMode};
use crate::tensor::Tensor;
use std::fmt::{self, Debug, Display};

/// What a kind of layer says of its attributes.
///
/// Everything that tells two layers of the kind apart is said, but for nested blocks. Structs are
/// taken apart without `..` where that fits, so that a new attribute is not forgotten.
pub(super) trait Describe {
    fn describe(&self, to: &mut Attributes);
}

/// Attributes one after the other; those with their usual value are left out.
///
/// Of large data, the text says a hash; the alternate form `{:#}` leaves that out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Attributes(Vec<Attribute>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Attribute {
    text: String,
    /// Of data that is too large to be shown.
    hash: Option<String>,
}

impl Attributes {
    /// Whether all attributes have their usual values.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A text that needs no name.
    pub(super) fn text(&mut self, text: &impl Display) {
        self.0.push(Attribute { text: text.to_string(), hash: None });
    }

    /// A value of an enum, which needs no name.
    pub(super) fn word(&mut self, word: &impl Debug) {
        self.text(&format_args!("{word:?}"));
    }

    pub(super) fn word_unless<T: Debug + PartialEq>(&mut self, word: &T, usual: &T) {
        if word != usual {
            self.word(word);
        }
    }

    pub(super) fn named(&mut self, name: &str, value: &impl Debug) {
        self.text(&format_args!("{name} {value:?}"));
    }

    /// Compares texts, so that −0 is not 0.
    pub(super) fn unless<T: Debug>(&mut self, name: &str, value: &T, usual: &T) {
        if format!("{value:?}") != format!("{usual:?}") {
            self.named(name, value);
        }
    }

    pub(super) fn flag(&mut self, name: &str, is_set: bool) {
        if is_set {
            self.text(&name);
        }
    }

    pub(super) fn given(&mut self, name: &str, value: Option<&impl Debug>) {
        if let Some(value) = value {
            self.named(name, value);
        }
    }

    pub(super) fn input(&mut self, name: &str, at: usize) {
        self.text(&format_args!("{name} from input {at}"));
    }

    pub(super) fn given_input(&mut self, name: &str, at: Option<usize>) {
        if let Some(at) = at {
            self.input(name, at);
        }
    }

    pub(super) fn arg<T: Debug>(&mut self, name: &str, value: &Arg<T>) {
        match value {
            Arg::Static(value) => self.named(name, value),
            Arg::Input(at) => self.input(name, *at),
        }
    }

    pub(super) fn data(&mut self, name: &str, data: &Tensor) {
        let content = data.content();
        if content.starts_with('#') {
            let text = format!("{name} {}{:?}", data.dtype(), data.dims());
            self.0.push(Attribute { text, hash: Some(content) });
        } else {
            self.named(name, data);
        }
    }

    pub(super) fn given_data(&mut self, name: &str, data: Option<&Tensor>) {
        if let Some(data) = data {
            self.data(name, data);
        }
    }

    /// Data that is fixed or comes from an input.
    pub(super) fn weights(&mut self, name: &str, weights: &Arg<Tensor>) {
        match weights {
            Arg::Static(data) => self.data(name, data),
            Arg::Input(at) => self.input(name, *at),
        }
    }

    /// One size per spatial axis, as in `stride 2x2`, unless all are the usual one.
    pub(super) fn sizes(&mut self, name: &str, sizes: &[usize], usual: Option<usize>) {
        if usual.is_none_or(|usual| sizes.iter().any(|&size| size != usual)) {
            let texts: Vec<String> = sizes.iter().map(usize::to_string).collect();
            self.text(&format_args!("{name} {}", texts.join("x")));
        }
    }

    /// Paddings before and after the data, as one where they are the same, and how they are meant.
    pub(super) fn paddings(&mut self, pre: &[usize], post: &[usize], mode: PaddingMode) {
        if pre == post {
            self.sizes("padding", pre, Some(0));
        } else {
            self.sizes("pre_padding", pre, Some(0));
            self.sizes("post_padding", post, Some(0));
        }
        self.unless("padding_mode", &mode, &PaddingMode::ExplicitRoundDown);
    }
}

impl Display for Attributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, Attribute { text, hash }) in self.0.iter().enumerate() {
            f.write_str(if at > 0 { ", " } else { "" })?;
            f.write_str(text)?;
            if let Some(hash) = hash.as_ref().filter(|_| !f.alternate()) {
                write!(f, " {hash}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::network::LayerKind;
    use crate::network::layer::{
        Activation, ActivationType, Arg, Convolution, PaddingMode, Shuffle, Slice,
    };
    use crate::network::layer::{Deconvolution, Reshape, SampleMode};
    use crate::tensor::Tensor;

    fn convolution() -> Convolution {
        Convolution {
            maps: 3,
            kernel: vec![1, 2],
            stride: vec![1, 1],
            pre_padding: vec![0, 0],
            post_padding: vec![0, 0],
            padding_mode: PaddingMode::ExplicitRoundDown,
            dilation: vec![1, 1],
            groups: 1,
            weights: Arg::Static(Tensor::of(vec![3, 2, 1, 2], vec![1f32; 12]).unwrap()),
            bias: None,
        }
    }

    #[test]
    fn what_is_usual_is_left_out() {
        let padded = Convolution {
            stride: vec![1, 2],
            pre_padding: vec![1, 0],
            post_padding: vec![1, 0],
            groups: 3,
            bias: Some(Arg::Input(1)),
            ..convolution()
        };
        let uneven = Convolution { post_padding: vec![0, 1], maps: 5, ..convolution() };
        let back = Deconvolution(Convolution { groups: 2, maps: 4, ..convolution() });
        let zeros = Reshape::Static { dims: vec![0, -1], zero_is_placeholder: true };
        let slice = Slice {
            start: Arg::Input(1),
            size: Arg::Static(vec![2]),
            stride: Arg::Static(vec![1]),
            mode: SampleMode::Fill,
            fill: Some(2),
        };
        let kernel = "kernel f32[3, 2, 1, 2]";
        let cases: [(LayerKind, &str); 8] = [
            (convolution().into(), kernel),
            (
                padded.into(),
                &format!("{kernel}, bias from input 1, stride 1x2, padding 1x0, groups 3"),
            ),
            (uneven.into(), &format!("maps 5, {kernel}, post_padding 0x1")),
            (back.into(), &format!("{kernel}, groups 2")),
            (Shuffle::default().into(), ""),
            (
                Shuffle { reshape: Some(zeros), ..Shuffle::default() }.into(),
                "reshape [0, -1], zero_is_placeholder",
            ),
            (slice.into(), "start from input 1, size [2], Fill, fill from input 2"),
            (
                Activation { kind: ActivationType::Clip, alpha: -0.0, beta: 6.5 }.into(),
                "Clip, alpha -0.0, beta 6.5",
            ),
        ];
        for (kind, text) in cases {
            assert_eq!(format!("{:#}", kind.attributes()), text);
        }
    }

    #[test]
    fn data_is_told_apart_by_its_hash() {
        let of = |first: f32| {
            let mut values = vec![1f32; 12];
            values[0] = first;
            let weights = Arg::Static(Tensor::of(vec![3, 2, 1, 2], values).unwrap());
            LayerKind::from(Convolution { weights, ..convolution() }).attributes().to_string()
        };
        assert_ne!(of(1.0), of(2.0));
        assert!(of(1.0).starts_with("kernel f32[3, 2, 1, 2] #"));
    }
}
