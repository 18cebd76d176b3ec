use super::Case;
use crate::support::Model;

pub(super) const CASES: &[Case] = &[
    Case { name: "transform", model: transform },
    Case { name: "transform_17", model: transform_17 },
    Case { name: "frames", model: frames },
    Case { name: "fixed", model: fixed },
    Case { name: "open", model: open },
];

/// To the frequencies of a real signal and back.
fn transform() -> Model {
    Model::new(20)
        .input("x", "f32[N, 4, 1]")
        .node("DFT", "x", "frequencies")
        .attr("onesided", 1)
        .node("DFT", "frequencies", "y")
        .attr("onesided", 1)
        .attr("inverse", 1)
        .output("y", "")
}

fn transform_17() -> Model {
    Model::new(17).input("x", "f32[N, 3, 2, 2]").node("DFT", "x", "y").output("y", "")
}

/// Frames of a signal whose length only the run knows.
fn frames() -> Model {
    Model::new(17)
        .input("x", "f32[N, L, 1]")
        .init("step", &[], &[2i64])
        .init("window", &[4], &[0.5f32, 1.0, 1.0, 0.5])
        .node("STFT", "x step window", "y")
        .output("y", "")
}

fn fixed() -> Model {
    Model::new(17)
        .init("size", &[], &[4i64])
        .init("bands", &[], &[2i64])
        .init("length", &[], &[8i64])
        .init("rate", &[], &[8000i64])
        .init("low", &[], &[0f32])
        .init("high", &[], &[4000f32])
        .node("BlackmanWindow", "size", "blackman")
        .node("HammingWindow", "size", "hamming")
        .node("HannWindow", "size", "hann")
        .node("MelWeightMatrix", "bands length rate low high", "mel")
        .output("blackman", "")
        .output("hamming", "")
        .output("hann", "")
        .output("mel", "")
}

/// Signals of a length that only the run knows, there and back, and frames as long as a window.
fn open() -> Model {
    Model::new(17)
        .input("x", "f32[N, L, 1]")
        .node("DFT", "x", "frequencies")
        .attr("onesided", 1)
        .output("frequencies", "")
        .node("DFT", "x", "all")
        .output("all", "")
        .node("DFT", "all", "back")
        .attr("inverse", 1)
        .output("back", "")
        .input("window", "f32[W]")
        .init("step", &[], &[2i64])
        .node("STFT", "x step window", "frames")
        .output("frames", "")
}
