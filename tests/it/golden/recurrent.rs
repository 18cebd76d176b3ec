use super::Case;
use crate::support::Model;

pub(super) const CASES: &[Case] = &[
    Case { name: "lstm", model: lstm },
    Case { name: "gru", model: gru },
    Case { name: "rnn", model: rnn },
    Case { name: "of_opset_7", model: of_opset_7 },
    Case { name: "of_opset_3", model: of_opset_3 },
    Case { name: "of_opset_1", model: of_opset_1 },
];

/// Both directions, with peepholes, lengths and a first state.
fn lstm() -> Model {
    Model::new(14)
        .input("x", "f32[T, 1, 2]")
        .input("lengths", "i32[1]")
        .input("h", "f32[2, 1, 2]")
        .input("c", "f32[2, 1, 2]")
        .weights("w", &[2, 8, 2])
        .weights("r", &[2, 8, 2])
        .weights("b", &[2, 16])
        .weights("p", &[2, 6])
        .node("LSTM", "x w r b lengths h c p", "y last cell")
        .attr("hidden_size", 2)
        .attr("direction", "bidirectional")
        .output("y", "")
        .output("last", "")
        .output("cell", "")
}

fn gru() -> Model {
    Model::new(14)
        .input("x", "f32[T, N, 2]")
        .weights("w", &[1, 6, 2])
        .weights("r", &[1, 6, 2])
        .weights("b", &[1, 12])
        .node("GRU", "x w r b", "y last")
        .attr("hidden_size", 2)
        .attr("linear_before_reset", 1)
        .attr("direction", "reverse")
        .output("y", "")
        .output("last", "")
}

/// With the batch first.
fn rnn() -> Model {
    Model::new(14)
        .input("x", "f32[N, T, 2]")
        .weights("w", &[1, 2, 2])
        .weights("r", &[1, 2, 2])
        .node("RNN", "x w r", "y")
        .attr("hidden_size", 2)
        .attr("layout", 1)
        .output("y", "")
}

/// A node for each of these, with as many gates.
fn each(opset: i64, operators: &[(&str, i64)]) -> Model {
    let model = Model::new(opset).input("x", "f32[T, 1, 2]");
    operators.iter().fold(model, |model, (operator, gates)| {
        let [w, r] = ["w", "r"].map(|name| format!("{operator}_{name}"));
        model
            .weights(&w, &[1, 2 * gates, 2])
            .weights(&r, &[1, 2 * gates, 2])
            .node(operator, &format!("x {w} {r}"), &format!("- {operator}"))
            .named(operator)
            .attr("hidden_size", 2)
            .output(operator, "")
    })
}

fn of_opset_7() -> Model {
    each(7, &[("RNN", 1), ("GRU", 3), ("LSTM", 4)])
}

fn of_opset_3() -> Model {
    each(3, &[("GRU", 3)])
}

fn of_opset_1() -> Model {
    each(1, &[("RNN", 1), ("GRU", 3), ("LSTM", 4)])
}
