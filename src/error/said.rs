//! What TensorRT and ONNX Runtime say, without where in their sources they say it.

/// What TensorRT said when it failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// All of it.
    pub text: String,
    /// What it means, where that is known.
    pub fault: Option<Fault>,
    /// Whether a plan was being built: the network had been taken as a whole.
    pub(super) is_of_build: bool,
    /// Whether it is shown besides the message, which has it in short.
    pub(super) is_told: bool,
}

/// What a failure of TensorRT means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// It has no implementation of a layer for the machine at hand.
    NoImplementation,
}

/// What TensorRT says of each fault; it has no codes of its own for them.
const WORDS: [(&str, Fault); 1] = [("no runners that implement it", Fault::NoImplementation)];

impl Said {
    /// These words, of which the message has some.
    pub fn new(text: &str) -> Self {
        let fault = WORDS.into_iter().find(|(words, _)| text.contains(words));
        let fault = fault.map(|(_, fault)| fault);
        Self { text: text.trim().to_owned(), fault, is_of_build: false, is_told: true }
    }

    /// Whether it was said while a plan was built, not of a single layer.
    pub fn is_of_build(&self) -> bool {
        self.is_of_build
    }

    /// Whether the same went wrong: where both name lines of sources, at the same ones, else in the
    /// same words. Names of layers and numbers do not count.
    pub fn is_like(&self, other: &Self) -> bool {
        let [own, others] = [self, other].map(|said| places(&said.text));
        if own.is_empty() && others.is_empty() {
            return self.fault == other.fault && letters(&self.text) == letters(&other.text);
        }
        own == others
    }

    /// Whether it is shown besides the message, which has it in short.
    pub fn is_told(&self) -> bool {
        self.is_told
    }

    /// The same where the message has all of it.
    #[must_use]
    pub fn in_message(mut self) -> Self {
        self.is_told = false;
        self
    }
}

/// The most characters of it that a message takes; the whole goes into a note.
const MOST_CHARACTERS: usize = 300;

/// The words on one line, for a message.
pub fn plain(said: &str) -> String {
    // `IBuilder::buildSerializedNetwork: Error Code 1: Myelin (…)`
    let code = said.rsplit_once("Error Code ").and_then(|(_, rest)| rest.split_once(": "));
    let said =
        code.map_or(said, |(_, rest)| rest.split_once(" (").map_or(rest, |(_, inner)| inner));
    // `…  In compileGraph at /_src/optimizer/myelin/codeGenerator.cpp:2012)`
    let place = said
        .match_indices(" In ")
        .find(|(at, _)| said.get(*at..).is_some_and(|rest| rest.contains(" at /")));
    let said = place.map_or(said, |(at, _)| said.get(..at).unwrap_or(said));
    let mut words = Vec::new();
    let mut bracket = Vec::new();
    for word in said.split_whitespace() {
        // `[shape.cpp:175: ~op_constraints_msg_streamer_t]` is left out as a whole.
        let opens = word.starts_with('[') && has_place(word);
        if opens || !bracket.is_empty() {
            bracket.push(word);
            if word.ends_with(']') {
                bracket.clear();
            }
        } else if !has_place(word) && !word.ends_with("Exception:") {
            words.push(word);
        }
    }
    let line = if words.is_empty() { said.trim().to_owned() } else { words.join(" ") };
    match line.char_indices().nth(MOST_CHARACTERS) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

/// The lines of source files that are named: `graphScope.cpp:232`.
fn places(said: &str) -> Vec<&str> {
    let words = said.split(|c: char| c.is_whitespace() || "[](),;".contains(c));
    let places = words.filter(|word| has_place(word));
    places.map(|word| word.rsplit('/').next().unwrap_or(word).trim_matches(':')).collect()
}

/// The words that are no names of layers and no numbers.
fn letters(said: &str) -> Vec<&str> {
    said.split_whitespace().filter(|word| word.chars().all(char::is_alphabetic)).collect()
}

/// Whether a word names a line of a source file.
fn has_place(word: &str) -> bool {
    [".cpp:", ".cc:", ".cu:", ".h:", ".hpp:"].iter().any(|ending| word.contains(ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_in_sources_are_left_out() {
        let cases = [
            (
                "IBuilder::buildSerializedNetwork: Error Code 1: Myelin ([myelin_graph.h:1295: \
                 attachExceptionMsgToGraph] \
                 MyelinCheckException: convolution_common.cpp:27: CHECK(nbdims_bias == 4 || \
                 nbdims_bias == 5) failed.  In \
                 compileGraph at /_src/optimizer/myelin/codeGenerator.cpp:2012)",
                "CHECK(nbdims_bias == 4 || nbdims_bias == 5) failed.",
            ),
            (
                "IBuilder::buildSerializedNetwork: Error Code 1: Myelin ([shape.cpp:175: \
                 ~op_constraints_msg_streamer_t] \n\
                 Error during shape inference of\nnorm : f32[] = inorm(x)\n In compileGraph at \
                 /_src/a.cpp:2012)",
                "Error during shape inference of norm : f32[] = inorm(x)",
            ),
            (
                "[graphShapeAnalyzer.cpp::checkCalculationStatusSanity::2155] Error Code 2: \
                 Internal Error (Assertion \
                 !isInFlight(p.second.symbolicRep) failed.  In checkCalculationStatusSanity at \
                 /_src/shapeof/a.cpp:2155)",
                "Assertion !isInFlight(p.second.symbolicRep) failed.",
            ),
            (
                "Non-zero status code. Status Message: /onnxruntime_src/core/gather.cc:123 index \
                 7 is out of bounds",
                "Non-zero status code. Status Message: index 7 is out of bounds",
            ),
            ("out of memory", "out of memory"),
        ];
        for (said, expected) in cases {
            assert_eq!(plain(said), expected);
        }
        let like = |a: usize, b: &str| Said::new(cases[a].0).is_like(&Said::new(b));
        assert!(like(2, &cases[2].0.replace("p.second", "q.first")));
        assert!(!like(2, &cases[2].0.replace("2155", "2156")));
        assert!(!like(0, cases[1].0) && !like(4, cases[0].0) && like(4, cases[4].0));
        let [a, b] = ["Could not find any implementation for node {ForeignNode[a...b]}.", "x"];
        assert!(Said::new(a).is_like(&Said::new(&a.replace("a...b", "c...d"))));
        assert!(!Said::new(a).is_like(&Said::new(b)));
        assert_eq!(plain(&"word ".repeat(1000)).chars().count(), MOST_CHARACTERS + 1);
    }
}
