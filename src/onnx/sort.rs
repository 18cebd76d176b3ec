//! The names of a graph: defined once, defined before use, and which ones come from outside.

use super::model::{Graph, Node};
use crate::error::{Kind, Problem, keep};
use crate::site::Site;
use std::cmp::Reverse;
use std::collections::hash_map::Entry;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::sync::Arc;

/// What defines a name: a node, or one of the graph's inputs or initializers.
#[derive(Clone, Copy)]
enum Definition {
    Node(usize),
    Given(&'static str),
}

/// Puts the nodes of `graph` in topological order, the file's wherever that is valid, and fills in
/// its captures. Subgraphs must have been sorted before: what they capture, their node depends on.
pub(super) fn sort(graph: &mut Graph, problems: &mut Vec<Problem>) {
    let definitions = definitions(graph, problems);
    let mut captures = Captures::default();
    let mut producers = Vec::with_capacity(graph.nodes.len());
    for node in &graph.nodes {
        let mut wanted = Vec::new();
        let captured = node.attrs.graphs().flat_map(|graph| &graph.captures);
        for name in node.inputs.iter().filter(|name| !name.is_empty()).chain(captured) {
            match definitions.get(name) {
                Some(Definition::Node(producer)) => wanted.push(*producer),
                Some(Definition::Given(_)) => {}
                None => captures.add(name),
            }
        }
        wanted.sort_unstable();
        wanted.dedup();
        producers.push(wanted);
    }
    for output in graph.outputs.iter().filter(|output| !definitions.contains_key(&output.name)) {
        captures.add(&output.name);
    }
    graph.captures = captures.names;
    let order = order(&producers);
    if order.len() < graph.nodes.len() {
        cycles(graph, &producers, &order, problems);
    } else if !order.is_sorted() {
        let mut nodes: Vec<_> = std::mem::take(&mut graph.nodes).into_iter().map(Some).collect();
        graph.nodes = order.into_iter().filter_map(|i| nodes.get_mut(i)?.take()).collect();
    }
}

/// Names in order of first use.
#[derive(Default)]
struct Captures {
    names: Vec<Arc<str>>,
    seen: HashSet<Arc<str>>,
}

impl Captures {
    fn add(&mut self, name: &Arc<str>) {
        if self.seen.insert(name.clone()) {
            self.names.push(name.clone());
        }
    }
}

/// What defines each name; a second definition is a problem.
fn definitions(graph: &Graph, problems: &mut Vec<Problem>) -> HashMap<Arc<str>, Definition> {
    let mut definitions = HashMap::new();
    let given = graph.inputs.iter().map(|input| (&input.name, "input"));
    let given =
        given.chain(graph.initializers.iter().map(|constant| (&constant.name, "initializer")));
    for (name, what) in given {
        if let Entry::Vacant(entry) = definitions.entry(name.clone()) {
            entry.insert(Definition::Given(what));
        } else {
            let site = Site::tensor(graph.path.clone(), what, name);
            keep(problems, Problem::new(Kind::Invalid, site, "is defined twice"));
        }
    }
    for (i, node) in graph.nodes.iter().enumerate() {
        for name in node.outputs.iter().filter(|name| !name.is_empty()) {
            match definitions.entry(name.clone()) {
                Entry::Vacant(entry) => {
                    entry.insert(Definition::Node(i));
                }
                Entry::Occupied(entry) => {
                    let first = match entry.get() {
                        Definition::Given(what) => format!("the graph's {what}"),
                        Definition::Node(i) => graph
                            .nodes
                            .get(*i)
                            .map_or_else(String::new, |node| node.site.to_string()),
                    };
                    let message = format!("output `{name}` is already defined by {first}");
                    keep(problems, Problem::new(Kind::Invalid, node.site.clone(), message));
                }
            }
        }
    }
    definitions
}

/// The nodes that can be reached in topological order, always the first that is ready.
fn order(producers: &[Vec<usize>]) -> Vec<usize> {
    let mut users = vec![Vec::new(); producers.len()];
    let mut waits_for: Vec<usize> = producers.iter().map(Vec::len).collect();
    for (user, wanted) in producers.iter().enumerate() {
        for &producer in wanted {
            if let Some(users) = users.get_mut(producer) {
                users.push(user);
            }
        }
    }
    let ready =
        waits_for.iter().enumerate().filter(|(_, count)| **count == 0).map(|(i, _)| Reverse(i));
    let mut ready: BinaryHeap<_> = ready.collect();
    let mut order = Vec::with_capacity(producers.len());
    while let Some(Reverse(i)) = ready.pop() {
        order.push(i);
        for &user in users.get(i).into_iter().flatten() {
            if let Some(count) = waits_for.get_mut(user) {
                *count -= 1;
                if *count == 0 {
                    ready.push(Reverse(user));
                }
            }
        }
    }
    order
}

/// Reports a cycle for each group of nodes that none could be sorted of.
fn cycles(graph: &Graph, producers: &[Vec<usize>], sorted: &[usize], problems: &mut Vec<Problem>) {
    // The walk that a node was first met in; walks end at sorted nodes or where an earlier one has
    // been.
    const SORTED: usize = usize::MAX;
    let mut met = vec![0; producers.len()];
    for &i in sorted {
        if let Some(walk) = met.get_mut(i) {
            *walk = SORTED;
        }
    }
    for start in 0..producers.len() {
        let walk = start + 1;
        let mut path = Vec::new();
        let mut next = Some(start);
        while let Some(i) = next {
            match met.get_mut(i) {
                Some(seen) if *seen == 0 => *seen = walk,
                Some(seen) if *seen == walk => {
                    let begin = path.iter().position(|&node| node == i).unwrap_or(0);
                    if let Some(found) = cycle(graph, path.get(begin..).unwrap_or_default()) {
                        keep(problems, found);
                    }
                    break;
                }
                _ => break,
            }
            path.push(i);
            next = producers
                .get(i)
                .and_then(|wanted| wanted.iter().find(|&&p| met.get(p) != Some(&SORTED)).copied());
        }
    }
}

/// The problem with the nodes of `path`, each of which reads from the next and the last from the
/// first.
fn cycle(graph: &Graph, path: &[usize]) -> Option<Problem> {
    const SHOWN: usize = 8;
    let node = |i: &usize| graph.nodes.get(*i);
    let first = node(path.first()?)?;
    let mut names: Vec<_> = path
        .iter()
        .filter_map(node)
        .take(SHOWN)
        .map(|node| format!("`{}`", node.site.label()))
        .collect();
    if path.len() > SHOWN {
        names.push(format!("{} more", path.len() - SHOWN));
    }
    names.push(format!("`{}`", first.site.label()));
    let message = format!("needs its own output: {}", names.join(" <- "));
    Some(Problem::new(Kind::Invalid, first.site.clone(), message))
}

/// Reports every name that the main graph reads and nobody defines, at its first user.
pub(super) fn undefined(main: &Graph, problems: &mut Vec<Problem>) {
    let mut missing: HashSet<&str> = main.captures.iter().map(|name| &**name).collect();
    undefined_in(main, &mut missing, problems);
}

fn undefined_in<'a>(graph: &'a Graph, missing: &mut HashSet<&'a str>, problems: &mut Vec<Problem>) {
    // A name missing outside may be defined in here.
    let outer: HashSet<&str> = graph.captures.iter().map(|name| &**name).collect();
    let mut take = |name: &str| outer.contains(name) && missing.remove(name);
    let mut inner = Vec::new();
    let reads = |node: &Node, name: &str| {
        let message = format!("reads `{name}`, which no node, input or initializer defines");
        Problem::new(Kind::Invalid, node.site.clone(), message)
    };
    for node in &graph.nodes {
        for name in node.inputs.iter().filter(|name| take(name)) {
            keep(problems, reads(node, name));
        }
        inner.extend(node.attrs.graphs().filter(|graph| !graph.captures.is_empty()));
    }
    for output in graph.outputs.iter().filter(|output| take(&output.name)) {
        let site = Site::tensor(graph.path.clone(), "output", &output.name);
        let message = "no node, input or initializer defines it";
        keep(problems, Problem::new(Kind::Invalid, site, message));
    }
    for graph in inner {
        undefined_in(graph, missing, problems);
    }
}
