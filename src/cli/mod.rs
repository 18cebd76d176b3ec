//! The command line: one file per command, and the only place that prints.
//!
//! Data goes to stdout, everything else to stderr.

mod by_layer;
mod cache;
mod color;
mod convert;
mod diff;
mod doctor;
mod environment;
mod failing;
mod inspect;
mod locate;
mod machine;
mod manual;
mod ops;
mod output;
mod plan;
mod proof;
mod recipe;
mod reference;
mod report;
mod setup;
mod table;
#[cfg(test)]
mod tests;
mod time;
mod timings;
mod tolerance;
mod verify;
mod words;
mod zoo;

use crate::error::{Error, Kind, bug};
use crate::files;
use crate::memory;
use crate::trt;
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, Args, ColorChoice, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use environment::Environment;
use output::Output;
use std::ffi::OsString;
use std::num::NonZeroU32;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Turn an ONNX model into a TensorRT plan and check that the plan computes what the model says.
///
/// Without a command, onnx2plan converts each MODEL.
#[derive(Debug, Parser)]
#[command(name = "onnx2plan", version, arg_required_else_help = true)]
#[command(override_usage = "onnx2plan [OPTIONS] <MODEL>...\n       onnx2plan [OPTIONS] <COMMAND>")]
#[command(after_help = "Examples:
  onnx2plan model.onnx                              write model.plan and model.plan.json
  onnx2plan model.onnx --dim batch=1:8:32           a size known only at run time
  onnx2plan model.onnx --precision f16              f16 where the outputs stay within a bound
  onnx2plan verify model.onnx --on cpu              compare numbers without a GPU
  onnx2plan zoo models --on cpu --report out        every model below a folder

Exit codes: 0 done; 1 the numbers differ; 2 wrong command line; 3 invalid model;\n\
4 unsupported model; 5 TensorRT refused the network or crashed; 6 something is missing on this\n\
machine (library, GPU, reference, disk space); 7 the numbers were not judged (rounding, time);\n\
8 the numbers agree, but the data test nothing; 70 a bug in onnx2plan; 130 interrupted.")]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    convert: convert::Arguments,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Convert models, as without a command
    Convert(Box<convert::Arguments>),
    /// Show what a model contains, what its nodes become, and which cannot be converted; or a plan
    Inspect(inspect::Arguments),
    /// Check a converted model, or a plan, against test data or ONNX Runtime
    Verify(Box<verify::Arguments>),
    /// Show how two plans differ in what they were made of and in their layers
    Diff(diff::Arguments),
    /// Measure how long plans take on this machine's GPU
    Time(time::Arguments),
    /// Convert and verify many models in worker processes
    Zoo(Box<zoo::Arguments>),
    /// Merge or compare reports on zoos
    #[command(subcommand)]
    Report(report::Command),
    /// Do the jobs that come in on stdin; started by `zoo`
    #[command(hide = true)]
    Worker(zoo::worker::Arguments),
    /// List the operators that can be converted
    Ops(ops::Arguments),
    /// Show which TensorRT library and GPU were found
    Doctor(doctor::Arguments),
    /// Download TensorRT-RTX or ONNX Runtime into the cache, with your own pip
    Setup(setup::Arguments),
    /// Show or clean the cache
    #[command(subcommand)]
    Cache(cache::Command),
    /// Print a script that completes commands and options in a shell
    Completions(manual::CompletionsArguments),
    /// Print the manual as man pages
    Man(manual::ManArguments),
}

/// Options of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every command")]
struct Common {
    /// Print only data and errors
    #[arg(short, long, global = true)]
    quiet: bool,
    /// Also print TensorRT's log and more details
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    verbose: bool,
    /// Memory that data may take, in MiB; of a zoo, each worker's limit [default: half of the
    /// machine's, which a zoo's workers share]
    #[arg(long, global = true, value_name = "MIB")]
    memory: Option<NonZeroU32>,
    /// Format of errors on stderr
    #[arg(long, global = true, value_enum, value_name = "FORMAT", default_value_t = ErrorFormat::Text)]
    error_format: ErrorFormat,
    /// When to print in color
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t = ColorChoice::Auto)]
    color: ColorChoice,
}

impl Common {
    /// The limit of memory that the user gives, in bytes.
    fn memory_bytes(&self) -> Option<usize> {
        self.memory
            .map(|mib| usize::try_from(mib.get()).unwrap_or(usize::MAX).saturating_mul(1 << 20))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ErrorFormat {
    Text,
    Json,
}

/// How long a command that was asked to stop may go on.
const PATIENCE: Duration = Duration::from_millis(1500);
/// How long while TensorRT builds. It answers between two steps, TensorRT 8 when a build is done,
/// which can take minutes.
const PATIENCE_WITH_TENSORRT: Duration = Duration::from_secs(10);

/// How often it is looked whether TensorRT has answered.
const LOOK: Duration = Duration::from_millis(50);

impl ErrorFormat {
    fn show(self, output: &mut Output, error: &Error) {
        match self {
            Self::Text => output.error(error),
            Self::Json => output.error_json(error),
        }
    }
}

/// Set once the user asked to stop.
static CANCELLED: AtomicBool = AtomicBool::new(false);

/// Set once a zoo's workers are at work: its own process then only waits for them, and has a report
/// to write when it is asked to stop.
static AT_WORK: AtomicBool = AtomicBool::new(false);

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let line: Vec<OsString> = std::env::args_os().collect();
    color::set(&line);
    let cli = match parse(&line) {
        Ok(cli) => cli,
        Err(error) => return refuse(&error, &line),
    };
    let mut output = Output::new(cli.common.quiet, cli.common.verbose);
    bug::quiet();
    let memory_bytes = cli.common.memory_bytes();
    if let Some(bytes) = memory_bytes {
        memory::limit(bytes);
    }
    let work = || {
        interruptible(cli.common.error_format)?;
        let environment = Environment::read();
        match cli.command {
            Some(Command::Convert(arguments)) => {
                convert::run(&arguments, &environment, &mut output)
            }
            Some(Command::Completions(arguments)) => {
                manual::completions(&arguments, Cli::command(), &mut output)
            }
            Some(Command::Man(arguments)) => manual::man(&arguments, Cli::command(), &mut output),
            Some(Command::Inspect(arguments)) => inspect::run(&arguments, &mut output),
            Some(Command::Verify(arguments)) => verify::run(&arguments, &environment, &mut output),
            Some(Command::Diff(arguments)) => diff::run(&arguments, &mut output),
            Some(Command::Time(arguments)) => time::run(&arguments, &environment, &mut output),
            Some(Command::Zoo(arguments)) => {
                zoo::run(&arguments, memory_bytes, &environment, &mut output)
            }
            Some(Command::Report(command)) => report::run(&command, &mut output),
            Some(Command::Worker(arguments)) => {
                zoo::worker::run(&arguments, &environment, &mut output)
            }
            Some(Command::Ops(arguments)) => ops::run(&arguments, &mut output),
            Some(Command::Doctor(arguments)) => doctor::run(&arguments, &environment, &mut output),
            Some(Command::Setup(arguments)) => setup::run(&arguments, &environment, &mut output),
            Some(Command::Cache(command)) => cache::run(&command, &environment, &mut output),
            None => convert::run(&cli.convert, &environment, &mut output),
        }
    };
    match bug::caught(work) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            cli.common.error_format.show(&mut output, &error);
            ExitCode::from(error.kind().exit_code())
        }
    }
}

/// Reads the command line. In front of a command only options of every command may stand.
fn parse(line: &[OsString]) -> Result<Cli, clap::Error> {
    let mut command = Cli::command();
    let raw = |kind, text: String, command: &clap::Command| {
        clap::Error::raw(kind, format!("{text}\n")).with_cmd(command)
    };
    let matches = command.try_get_matches_from_mut(line).map_err(|error| {
        let better = words::explain(&error, &command, line);
        better.map_or(error, |text| raw(ErrorKind::UnknownArgument, text, &command))
    })?;
    if let Some((name, own)) = matches.subcommand() {
        let given = |id: &str| matches.value_source(id) == Some(ValueSource::CommandLine);
        let of_conversion =
            |argument: &&Arg| !argument.is_global_set() && given(argument.get_id().as_str());
        let wrong = command.get_arguments().find(of_conversion).map(ToString::to_string);
        if let Some(argument) = wrong {
            let message = format!(
                "`{argument}` is an option for converting a model; options of `{name}` go after it"
            );
            return Err(command.error(ErrorKind::ArgumentConflict, message));
        }
        if let Some(verify) = command.find_subcommand_mut(name).filter(|_| name == "verify")
            && let Some(message) = verify::misplaced(verify, own)
        {
            return Err(verify.error(ErrorKind::ArgumentConflict, message));
        }
    }
    let cli = Cli::from_arg_matches(&matches)?;
    let models = if cli.command.is_none() { cli.convert.models() } else { &[] };
    let wrong = models.first().and_then(|model| words::no_command(&command, model));
    match wrong.or_else(|| words::late_command(&command, models)) {
        Some(text) => Err(raw(ErrorKind::InvalidSubcommand, text, &command)),
        None => Ok(cli),
    }
}

/// Shows help, or what is wrong with a command line, in the format that the line asks for.
fn refuse(error: &clap::Error, line: &[OsString]) -> ExitCode {
    if !error.use_stderr() {
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let as_json = line.iter().any(|word| word == "--error-format=json")
        || line.windows(2).any(|pair| pair == ["--error-format", "json"]);
    if as_json {
        let text = error.render().to_string();
        let text = text.split("\n\nUsage:").next().unwrap_or_default();
        let message = text.strip_prefix("error: ").unwrap_or(text).trim_end();
        Output::new(true, false).error_json(&Error::new(Kind::Usage, message));
    } else {
        let _ = error.print();
    }
    ExitCode::from(Kind::Usage.exit_code())
}

/// The first Ctrl-C or SIGTERM asks the command to stop and clean up; the second one does not wait
/// for that, and neither does the first for longer than [`PATIENCE`], unless a zoo is
/// [at work](AT_WORK).
fn interruptible(format: ErrorFormat) -> Result<(), Error> {
    ctrlc::set_handler(move || {
        if CANCELLED.swap(true, Ordering::SeqCst) {
            leave(format);
        }
        std::thread::spawn(move || {
            let start = Instant::now();
            std::thread::sleep(PATIENCE);
            while trt::is_building() && start.elapsed() < PATIENCE_WITH_TENSORRT {
                std::thread::sleep(LOOK);
            }
            if !AT_WORK.load(Ordering::SeqCst) {
                leave(format);
            }
        });
    })
    .map_err(|error| Error::new(Kind::Environment, "cannot listen for Ctrl-C").with_source(error))
}

/// Ends the process with the work undone.
#[allow(clippy::exit, reason = "the user has asked twice, or what was asked does not answer")]
fn leave(format: ErrorFormat) -> ! {
    files::remove_temporaries();
    format.show(&mut Output::new(true, false), &interrupted());
    std::process::exit(Kind::Cancelled.exit_code().into())
}

fn interrupted() -> Error {
    Error::new(Kind::Cancelled, "interrupted")
}

/// Whether the user asked to stop.
fn cancelled() -> bool {
    CANCELLED.load(Ordering::SeqCst)
}

/// An error once the user asked to stop.
fn unless_cancelled() -> Result<(), Error> {
    if cancelled() { Err(interrupted()) } else { Ok(()) }
}
