//! How good the proof is: faults are planted in the layers of real networks, one at a time, and the
//! verdict must be that the numbers differ. Without a fault, and with results rounded at random, it
//! must be that they agree.

mod faults;
mod weights;

use crate::tensorrt;
use onnx2plan::eval::{self, Rounding};
use onnx2plan::import::Fitted;
use onnx2plan::network::{LayerId, Network};
use onnx2plan::onnx::{self, Constant, Model};
use onnx2plan::report::verification::{Judgment, OutputComparison};
use onnx2plan::site::Site;
use onnx2plan::tensor::Tensor;
use onnx2plan::valid::Checked;
use onnx2plan::verify::boundary;
use onnx2plan::verify::data::{self, DataSet, Entry};
use onnx2plan::{pipeline, verify};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// A network that agrees with its data.
struct Subject {
    name: String,
    network: Checked,
    inputs: Vec<String>,
    sets: Vec<DataSet>,
}

/// What became of a kind of fault in networks of a precision.
#[derive(Default, Clone)]
struct Row {
    found: usize,
    undetermined: usize,
    vacuous: usize,
    /// Within the tolerance, which nobody could call wrong.
    small: usize,
    /// Beyond the tolerance, but within what rounding may do.
    missed: usize,
    /// Not a number of the outputs is another: no fault of this network.
    unseen: usize,
}

#[derive(Default)]
struct Tally {
    rows: BTreeMap<(&'static str, &'static str), Row>,
    missed: Vec<String>,
    judged: usize,
    alarms: Vec<String>,
}

impl Subject {
    /// `None` for a model that does not convert, or has no data to agree with.
    fn open(folder: &Path) -> Option<Self> {
        let caps = tensorrt::library().caps();
        let model = onnx::load(&folder.join("model.onnx")).ok()?;
        let prepared = pipeline::prepare(&model, &Fitted::standard(caps), caps).ok()?;
        let folders = data::beside(&folder.join("model.onnx"));
        let sets = folders.iter().filter_map(|folder| data::read(folder).ok()).collect();
        let name = folder.file_name()?.to_string_lossy().into_owned();
        let subject = Self { name, network: prepared.network, inputs: names(&model), sets };
        let judged = subject.judge(&subject.network, &subject.sets)?;
        (judged.0 == Judgment::Agrees).then_some(subject)
    }

    fn names(&self) -> Vec<&str> {
        self.inputs.iter().map(String::as_str).collect()
    }

    /// The verdict on a network, and its worst output; `None` where it cannot be computed.
    fn judge(
        &self,
        network: &Network,
        sets: &[DataSet],
    ) -> Option<(Judgment, Option<OutputComparison>)> {
        let verifications = verify::all_on_cpu(network, &self.names(), sets).ok()?;
        let verdict = verifications.iter().map(|of| of.verdict).max()?;
        let outputs = verifications.into_iter().flat_map(|of| of.outputs);
        let error = |of: &OutputComparison| {
            of.statistics.as_ref().map_or(f64::INFINITY, |statistics| statistics.max_absolute)
        };
        Some((verdict, outputs.max_by(|a, b| error(a).total_cmp(&error(b)))))
    }

    /// The outputs for each data set, to see whether a fault has any effect.
    fn outputs(&self, network: &Network) -> Option<Vec<Vec<Tensor>>> {
        let each = self.sets.iter().map(|set| {
            let fed = verify::inputs(network, &self.names(), set).ok()?;
            eval::run(network, &fed).ok()
        });
        each.collect()
    }

    /// Plants faults of each kind in up to `sites` layers.
    fn plant(&self, sites: usize, tally: &mut Tally) {
        let Some(right) = self.outputs(&self.network) else { return };
        let precision = faults::precision(&self.network);
        for &(fault, plant) in faults::ALL {
            for mutant in self.mutants(plant, sites) {
                let row = tally.rows.entry((fault, precision)).or_default();
                match self.outputs(&mutant.1) {
                    None => continue,
                    Some(outputs) if outputs == right => {
                        row.unseen += 1;
                        continue;
                    }
                    Some(_) => {}
                }
                let Some((verdict, worst)) = self.judge(&mutant.1, &self.sets) else { continue };
                let by_rounding = worst.as_ref().is_some_and(|worst| worst.rounding.is_some());
                match verdict {
                    Judgment::Differs => row.found += 1,
                    Judgment::Undetermined => row.undetermined += 1,
                    Judgment::Vacuous => row.vacuous += 1,
                    Judgment::Agrees if by_rounding => {
                        row.missed += 1;
                        let error = worst.and_then(|of| Some(of.statistics?.max_absolute));
                        tally.missed.push(format!(
                            "{} ({precision}): {fault} in {}, off by {:.1e}",
                            self.name,
                            mutant.0,
                            error.unwrap_or_default()
                        ));
                    }
                    Judgment::Agrees => row.small += 1,
                }
            }
        }
    }

    /// Networks with this fault in one layer, spread over those that have room for it.
    fn mutants(&self, plant: faults::Plant, sites: usize) -> Vec<(String, Network)> {
        let planted = |id: LayerId| {
            let mut network = Network::clone(&self.network);
            let site = network.layer(id).sites.first().map(Site::label);
            plant(&mut network, id).then(|| (site.unwrap_or_default(), network))
        };
        let layers = self.network.live_layers();
        let room: Vec<LayerId> = layers.into_iter().filter(|&id| planted(id).is_some()).collect();
        let step = room.len().div_ceil(sites).max(1);
        room.into_iter().step_by(step).filter_map(planted).collect()
    }

    /// Judges the network against itself as other hardware may compute it.
    fn round(&self, seeds: u64, tally: &mut Tally) {
        for (set, seed) in self.sets.iter().flat_map(|set| (0..seeds).map(move |at| (set, at))) {
            let Some(rounded) = self.rounded(set, 1000 + seed) else { continue };
            let Some((verdict, _)) = self.judge(&self.network, &[rounded]) else { continue };
            tally.judged += 1;
            if verdict == Judgment::Differs {
                tally.alarms.push(format!("{}, seed {seed}", self.name));
            }
        }
    }

    /// A data set with the outputs that the network has when it rounds otherwise.
    fn rounded(&self, set: &DataSet, seed: u64) -> Option<DataSet> {
        let fed = verify::inputs(&self.network, &self.names(), set).ok()?;
        let mut rounding = Rounding::new(seed, false);
        let outputs = eval::run_rounding(&self.network, &fed, &mut rounding).ok()?;
        let each = outputs.into_iter().zip(verify::declared(&self.network));
        let entries = each.map(|(tensor, (name, to))| {
            let data = Constant::Tensor(boundary::leave(name, tensor, to).ok()?);
            Some(Entry { name: name.to_owned(), data })
        });
        Some(DataSet { outputs: entries.collect::<Option<_>>()?, ..set.clone() })
    }
}

fn names(model: &Model) -> Vec<String> {
    model.graph.inputs.iter().map(|info| info.name.to_string()).collect()
}

fn subjects(root: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(root) else { return Vec::new() };
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    folders.retain(|folder| folder.join("test_data_set_0").is_dir());
    folders.sort();
    folders
}

impl Tally {
    /// A row for each fault, a column for each precision: found, of those that have an effect
    /// beyond the tolerance.
    fn table(&self) -> String {
        let mut text = String::from(
            "| fault | precision | found | undetermined | vacuous | missed | within tolerance | no \
             effect |\n|---|---|--:|--:|--:|--:|--:|--:|\n",
        );
        for ((fault, precision), row) in &self.rows {
            let Row { found, undetermined, vacuous, small, missed, unseen } = row;
            writeln!(
                text,
                "| {fault} | {precision} | {found} | {undetermined} | {vacuous} | {missed} | \
                 {small} | {unseen} |"
            )
            .unwrap();
        }
        text
    }

    fn sum(&self, of: impl Fn(&Row) -> usize) -> usize {
        self.rows.values().map(of).sum()
    }
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// A sample of the networks: each eighth of the exports.
#[test]
fn planted_faults_are_found() {
    let mut tally = Tally::default();
    let models = subjects(&folder("models/exports"));
    for subject in models.iter().step_by(8).filter_map(|folder| Subject::open(folder)) {
        subject.plant(1, &mut tally);
        subject.round(1, &mut tally);
    }
    let (found, missed) = (tally.sum(|row| row.found), tally.sum(|row| row.missed));
    assert!(found >= 40, "{}", tally.table());
    assert!(tally.missed.len() * 50 <= found + missed, "{}", tally.missed.join("\n"));
    assert!(tally.alarms.is_empty() && tally.judged >= 6, "{:?}", tally.alarms);
}

/// The whole benchmark, for docs/verification.md.
#[test]
#[ignore = "takes half an hour in a release build"]
fn every_fault_in_every_network() {
    let mut tally = Tally::default();
    let roots = ["models", "models/layers", "models/exports", "target/real"];
    let models = roots.iter().flat_map(|root| subjects(&folder(root)));
    let mut count = 0;
    for folder in models {
        let start = std::time::Instant::now();
        let Some(subject) = Subject::open(&folder) else { continue };
        count += 1;
        subject.plant(2, &mut tally);
        subject.round(4, &mut tally);
        eprintln!("{}: {:.1} s", subject.name, start.elapsed().as_secs_f64());
    }
    println!("{count} networks\n\n{}", tally.table());
    println!("missed:\n{}\n", tally.missed.join("\n"));
    println!(
        "{} found, {} undetermined, {} vacuous, {} missed, {} within tolerance, {} no effect; {} \
         false alarms of {}: {:?}",
        tally.sum(|row| row.found),
        tally.sum(|row| row.undetermined),
        tally.sum(|row| row.vacuous),
        tally.sum(|row| row.missed),
        tally.sum(|row| row.small),
        tally.sum(|row| row.unseen),
        tally.alarms.len(),
        tally.judged,
        tally.alarms
    );
}
