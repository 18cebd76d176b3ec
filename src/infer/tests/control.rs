use super::ty;
use crate::infer::outputs;
use crate::network::layer::{Conditional, Loop, LoopIterator, LoopOutput};
use crate::network::{Block, LayerKind, Network};

/// The outputs, or the error, of a layer whose blocks hand through `params` and `results`.
fn infer(
    inputs: &[&str],
    params: &[&str],
    results: &[&[&str]],
    kind: impl Fn(Vec<Block>) -> LayerKind,
) -> String {
    let mut network = Network::default();
    let inputs: Vec<_> = inputs.iter().map(|text| network.add_input("x", ty(text))).collect();
    let mut block = |results: &&[&str]| Block {
        params: params.iter().map(|text| network.add_param("p", ty(text))).collect(),
        layers: Vec::new(),
        results: results.iter().map(|text| network.add_param("r", ty(text))).collect(),
    };
    let blocks = results.iter().map(&mut block).collect();
    let kind = kind(blocks);
    match outputs(&network, &kind, &inputs) {
        Ok(types) => {
            let ids: Vec<_> = types.into_iter().map(|ty| network.add_input("y", ty)).collect();
            ids.into_iter().map(|id| network.ty(id)).collect::<Vec<_>>().join("; ")
        }
        Err(error) => error.to_string(),
    }
}

fn branches(inputs: &[&str], then: &[&str], other: &[&str]) -> String {
    infer(inputs, &[], &[then, other], |mut blocks| {
        let else_block = blocks.pop().unwrap();
        Conditional { then_block: blocks.pop().unwrap(), else_block }.into()
    })
}

#[test]
fn results_of_branches_are_merged() {
    for (inputs, then, other, expected) in [
        (["bool[]"], ["f32[N, 3]"], ["f32[N, 3]"], "f32[N, 3]"),
        (["bool[]"], ["f32[N, 3]"], ["f32[N, 4]"], "f32[N, conditional#0]"),
        (["bool[]"], ["i64[1] = [N]"], ["i64[1] = [N]"], "i64[1] = [N]"),
        (["bool[]"], ["i64[1] = [N]"], ["i64[1] = [M]"], "i64[1]"),
        (
            ["bool[]"],
            ["f32[N]"],
            ["f16[N]"],
            "results of the branches have types f32[N] and f16[N]",
        ),
        (
            ["bool[]"],
            ["f32[N]"],
            ["f32[N, 1]"],
            "results of the branches have types f32[N] and f32[N, 1]",
        ),
        (["bool[1]"], ["f32[N]"], ["f32[N]"], "the rank of the condition is 1 but must be 0"),
        (["i32[]"], ["f32[N]"], ["f32[N]"], "the type of the condition is i32 but must be bool"),
    ] {
        assert_eq!(branches(&inputs, &then, &other), expected);
    }
    let uneven = branches(&["bool[]"], &["f32[N]"], &[]);
    assert_eq!(uneven, "the list of the second branch's results has 0 entries but needs 1");
}

#[test]
fn loops_hand_values_through() {
    let repeat = |inputs: &[&str], params: &[&str], results: &[&str], while_result| {
        infer(inputs, params, &[results], |mut blocks| {
            Loop {
                counted: true,
                capped: false,
                while_result,
                iterators: vec![LoopIterator { axis: 0, reverse: false }],
                recurrences: 1,
                outputs: vec![LoopOutput::LastValue(0), LoopOutput::Concatenate { axis: 1 }],
                body: blocks.pop().unwrap(),
            }
            .into()
        })
    };
    let inputs = ["i64[] = [T]", "f32[T, N, 3]", "f32[N, 8]", "i64[]"];
    let params = ["f32[N, 3]", "f32[N, 8]"];
    for (inputs, params, results, expected) in [
        (inputs, params, ["f32[N, 8]", "f32[N, 8]"], "f32[N, 8]; f32[N, T, 8]"),
        (
            ["i64[]", "f32[T, N, 3]", "f32[N, 8]", "i64[] = [5]"],
            params,
            ["f32[N, 8]", "f32[]"],
            "axis 1 is outside rank 1",
        ),
        (
            ["i64[]", "f32[T, N, 3]", "f32[N, 8]", "i64[] = [5]"],
            params,
            ["f32[N, 8]", "f32[N]"],
            "f32[N, 8]; f32[N, 5]",
        ),
        (
            ["i64[]", "f32[T, N, 3]", "f32[N, 8]", "i64[]"],
            params,
            ["f32[N, 8]", "f32[N]"],
            "f32[N, 8]; f32[N, loop#0]",
        ),
        (
            inputs,
            ["f32[N, 4]", "f32[N, 8]"],
            ["f32[N, 8]", "f32[N, 8]"],
            "an iterator's slice and the parameter have types f32[N, 3] and f32[N, 4]",
        ),
        (
            inputs,
            params,
            ["f32[N, 9]", "f32[N, 8]"],
            "a recurrence's next value and the parameter have types f32[N, 9] and f32[N, 8]",
        ),
        (
            inputs,
            ["f32[N, 3]", "f32[N, 7]"],
            ["f32[N, 7]", "f32[N, 8]"],
            "a recurrence's initial value and the parameter have types f32[N, 8] and f32[N, 7]",
        ),
        (
            ["f32[]", "f32[T, N, 3]", "f32[N, 8]", "i64[]"],
            params,
            ["f32[N, 8]", "f32[N]"],
            "the type of the trip count is f32 but must be i32 or i64",
        ),
        (
            ["i64[]", "f32[]", "f32[N, 8]", "i64[]"],
            params,
            ["f32[N, 8]", "f32[N]"],
            "axis 0 is outside rank 0",
        ),
    ] {
        assert_eq!(repeat(&inputs, &params, &results, false), expected);
    }
    assert_eq!(
        repeat(&inputs[..3], &params, &["f32[N, 8]", "f32[]"], false),
        "Loop takes 4 inputs but has 3"
    );
    assert_eq!(
        repeat(&inputs, &params[..1], &["f32[N, 8]", "f32[]"], false),
        "the list of the body's parameters has 1 entries but needs 2"
    );
    assert_eq!(
        repeat(&inputs, &params, &["f32[N, 8]"], false),
        "the list of the body's results has 1 entries but needs 2"
    );
    let stopped = repeat(&inputs, &params, &["bool[]", "f32[N, 8]", "f32[N]"], true);
    assert_eq!(
        stopped, "f32[N, 8]; f32[N, loop#0]",
        "the condition may end it before the count does"
    );
    let condition = repeat(&inputs, &params, &["f32[]", "f32[N, 8]", "f32[N]"], true);
    assert_eq!(condition, "the type of the loop's condition is f32 but must be bool");
}

#[test]
fn loops_end_and_name_their_recurrences() {
    let check = |while_result, at| {
        infer(&["f32[N]"], &["f32[N]"], &[&["bool[]", "f32[N]"]], |mut blocks| {
            let body = blocks.pop().unwrap();
            let outputs = vec![LoopOutput::LastValue(at)];
            Loop {
                counted: false,
                capped: false,
                while_result,
                iterators: Vec::new(),
                recurrences: 1,
                outputs,
                body,
            }
            .into()
        })
    };
    assert_eq!(check(true, 0), "f32[N]");
    assert_eq!(check(true, 1), "the recurrence of a loop output is 1 but must be below 1");
    assert_eq!(
        check(false, 0),
        "the end of a loop is given neither by a count nor by a condition but must be given by \
         one of them"
    );
}
