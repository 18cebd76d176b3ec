//! What GitHub Actions shows beside a change: workflow commands on stdout.

use super::zoo::{ModelReport, Report};
use crate::shown;

/// One line for each model that is not as expected, or better: `::error file=…,title=…::…`.
pub fn annotations(report: &Report) -> String {
    let wrong = report.surprises().map(|model| line("error", model));
    let better =
        report.models.iter().filter(|model| model.improved).map(|model| line("notice", model));
    wrong.chain(better).collect()
}

fn line(level: &str, model: &ModelReport) -> String {
    let expected =
        model.expectation().map_or_else(String::new, |expected| format!(", expected {expected}"));
    let stale = model.stale().map_or_else(String::new, |stale| format!("; {stale}"));
    let text = model.details.as_ref().or(model.reason.as_ref());
    let text = text.map_or_else(String::new, |text| format!("\n{text}"));
    // What is better than expected is mended in the listing, all else in the model or in the
    // program.
    let place = match model.expected_at.as_ref().filter(|_| model.improved) {
        Some(at) => format!("{},line={}", property(&at.file), at.line),
        None => property(&model.path),
    };
    format!(
        "::{level} file={place},title={}::{}\n",
        property(&format!("{}: {}", model.name, model.status)),
        data(&shown::lines(&format!("{}{expected}{stale}{text}", model.status)))
    )
}

/// A message: one line, with nothing that begins or ends a command.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property, which a comma or a colon would end.
fn property(text: &str) -> String {
    data(&shown::line(text)).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::zoo::{Place, Status};

    #[test]
    fn names_cannot_break_out_of_a_command() {
        let model = ModelReport {
            reason: Some("50% off\n::warning::x".to_owned()),
            ..ModelReport::new("a,b::c\n", "models/a:b.onnx", Status::Unsupported)
        };
        let model = model.expecting(Some(Status::Verified));
        assert_eq!(
            line("error", &model),
            "::error file=models/a%3Ab.onnx,title=a%2Cb%3A%3Ac\\n%3A unsupported\
             ::unsupported, expected verified%0A50%25 off%0A\\u{3a}:warning::x\n"
        );
    }

    #[test]
    fn a_stale_expectation_is_shown_where_it_stands() {
        let at = Some(Place { file: "zoo.toml".to_owned(), line: 12 });
        let model =
            ModelReport { expected_at: at, ..ModelReport::new("a", "a.onnx", Status::Verified) };
        assert_eq!(
            line("notice", &model.expecting(Some(Status::Differs))),
            "::notice file=zoo.toml,line=12,title=a%3A verified\
             ::verified, expected differs (zoo.toml:12); zoo.toml:12 can say verified\n"
        );
    }
}
