//! Printing: data, progress, notes and errors, each to where it belongs.

use crate::error::{Error, Kind, Result};
use crate::shown;
use crate::trt::{LogSink, Severity};
use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const DONE: Style = AnsiColor::Green.on_default();
const DIM: Style = Style::new().dimmed();

/// Where a command prints.
pub(super) struct Output {
    quiet: bool,
    verbose: bool,
    terminal: bool,
    phase: Option<Phase>,
}

/// Something that takes time.
struct Phase {
    name: &'static str,
    start: Instant,
    bar: Option<ProgressBar>,
}

impl Output {
    pub(super) fn new(quiet: bool, verbose: bool) -> Self {
        // On a terminal that says so nothing can move.
        let dumb = std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
        Self { quiet, verbose, terminal: std::io::stderr().is_terminal() && !dumb, phase: None }
    }

    /// Whether there is a terminal on which things may move.
    pub(super) fn is_live(&self) -> bool {
        self.terminal && !self.quiet && !self.verbose
    }

    pub(super) fn is_verbose(&self) -> bool {
        self.verbose
    }

    /// Prints data. A reader that went away is no error.
    pub(super) fn data(&mut self, text: &str) -> Result<()> {
        self.write(&shown::lines(text))
    }

    /// Prints what a CI system obeys.
    pub(super) fn commands(&mut self, text: &str) -> Result<()> {
        self.write(text)
    }

    fn write(&mut self, text: &str) -> Result<()> {
        self.abandon();
        let mut out = anstream::stdout().lock();
        match writeln!(out, "{}", text.trim_end()).and_then(|()| out.flush()) {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                Err(Error::new(Kind::Environment, "cannot write to stdout").with_source(error))
            }
            _ => Ok(()),
        }
    }

    /// Prints a serializable value as JSON.
    pub(super) fn json(&mut self, value: &impl serde::Serialize) -> Result<()> {
        let text = serde_json::to_string_pretty(value)
            .map_err(|error| Error::new(Kind::Internal, "cannot write JSON").with_source(error))?;
        self.write(&shown::json(&text))
    }

    /// Starts a phase that shows by itself how far it is.
    pub(super) fn start_silent(&mut self, name: &'static str) {
        self.abandon();
        self.phase = Some(Phase { name, start: Instant::now(), bar: None });
    }

    /// Starts a phase: a spinner on a terminal.
    pub(super) fn start(&mut self, name: &'static str) {
        self.start_silent(name);
        let bar = self.is_live().then(|| {
            let bar = ProgressBar::new_spinner().with_message(name);
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        if let Some(phase) = &mut self.phase {
            phase.bar = bar;
        }
    }

    /// Shows how far the phase is, on a terminal.
    pub(super) fn progress(&mut self, done: u64, total: u64) {
        let Some(bar) = self.phase.as_ref().and_then(|phase| phase.bar.as_ref()) else { return };
        if bar.length() != Some(total) {
            bar.set_length(total);
            if let Ok(style) = ProgressStyle::with_template(
                "{spinner} {msg} {bar:30} {bytes}/{total_bytes} {elapsed}",
            ) {
                bar.set_style(style);
            }
        }
        bar.set_position(done);
    }

    /// Says what the phase is at, on a terminal.
    pub(super) fn status(&mut self, what: &str) {
        if let Some(Phase { name, bar: Some(bar), .. }) = &self.phase {
            bar.set_message(format!("{name}: {what}"));
        }
    }

    /// Ends the phase with a line that says what came of it.
    pub(super) fn done(&mut self, what: &str) {
        let Some(phase) = self.phase.take() else { return };
        if let Some(bar) = &phase.bar {
            bar.finish_and_clear();
        }
        if !self.quiet {
            let (what, elapsed) = (shown::line(what), phase.start.elapsed().as_secs_f64());
            say(&format!("{DONE}{:>10}{DONE:#}  {what} {DIM}{elapsed:.2} s{DIM:#}", phase.name));
        }
    }

    /// Takes the phase's spinner away without a line.
    fn abandon(&mut self) {
        if let Some(bar) = self.phase.take().and_then(|phase| phase.bar) {
            bar.finish_and_clear();
        }
    }

    /// A fact that the user should see.
    pub(super) fn note(&mut self, text: &str) {
        if !self.quiet {
            self.suspended(|| say(&format!("{DIM}      note{DIM:#}  {}", shown::line(text))));
        }
    }

    /// Something that may surprise the user.
    pub(super) fn warning(&mut self, text: &str) {
        if !self.quiet {
            let text = shown::line(text);
            self.suspended(|| say(&format!("{WARNING}   warning{WARNING:#}  {text}")));
        }
    }

    /// A line on one of many things that a phase does; it may come from any thread.
    pub(super) fn item(&self, text: &str) {
        if !self.quiet {
            self.suspended(|| say(&shown::line(text)));
        }
    }

    /// A line for those who want to know everything.
    pub(super) fn detail(&mut self, text: &str) {
        if self.verbose {
            self.suspended(|| say(&format!("{DIM}{}{DIM:#}", shown::line(text))));
        }
    }

    /// What TensorRT logs, in lines of its own; it may come from any thread.
    fn library_lines(text: &str) {
        for line in text.lines() {
            say(&format!("{DIM}[TensorRT] {}{DIM:#}", shown::line(line)));
        }
    }

    pub(super) fn error(&mut self, error: &Error) {
        self.abandon();
        say(&format!("{ERROR}error{ERROR:#}: {}", shown::lines(&error.to_string())));
    }

    pub(super) fn error_json(&mut self, error: &Error) {
        self.abandon();
        say(&shown::json(&error.to_json().to_string()));
    }

    /// Prints while the spinner is out of the way.
    fn suspended(&self, print: impl FnOnce()) {
        match self.phase.as_ref().and_then(|phase| phase.bar.as_ref()) {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }
}

/// Writes a line to stderr. Where that cannot be written to, there is nobody to tell of it: it is
/// no reason to lose a plan.
fn say(line: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{line}");
}

/// Prints TensorRT's log: all of it, or only its errors.
pub(super) fn log_sink(verbose: bool) -> LogSink {
    Arc::new(move |severity, line| {
        if verbose || severity == Severity::Error {
            Output::library_lines(line);
        }
    })
}

/// A number of things: `1 model`, `2 models`.
pub(super) fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
