//! Numbers and texts as the views show them. What is absent shows as a dash.

use crate::shown as text;
use minijinja::value::{Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind};

const ABSENT: &str = "–";

/// Makes the filters known to the templates.
pub(super) fn register(environment: &mut Environment<'_>) {
    environment.add_filter("bytes", |value: &Value| shown(value, bytes));
    environment.add_filter("ms", |value: &Value| shown(value, milliseconds));
    environment.add_filter("sci", |value: &Value| shown(value, scientific));
    environment.add_filter("seconds", |value: &Value| shown(value, seconds));
    environment.add_filter("percent", |value: &Value| shown(value, percent));
    environment.add_filter("thousands", |value: &Value| shown(value, thousands));
    environment.add_filter("fixed", |value: &Value, digits: usize| {
        shown(value, |number| format!("{number:.digits$}"))
    });
    environment.add_filter("log10", |value: &Value| logarithm(value));
    environment.add_filter("md", |value: &Value| markdown(&value.to_string()));
}

fn shown(value: &Value, text: impl Fn(f64) -> String) -> Result<String, Error> {
    match value.kind() {
        ValueKind::None => Ok(ABSENT.to_owned()),
        ValueKind::Number => Ok(text(f64::try_from(value.clone())?)),
        other => Err(Error::new(
            ErrorKind::InvalidOperation,
            format!("a number is wanted, not a {other}"),
        )),
    }
}

/// `158.5 KiB`.
pub fn bytes(count: f64) -> String {
    if count < 1024.0 {
        return format!("{count:.0} B");
    }
    let mut size = count;
    let mut unit = "B";
    for next in ["KiB", "MiB", "GiB", "TiB"] {
        if size < 1024.0 {
            break;
        }
        size /= 1024.0;
        unit = next;
    }
    format!("{size:.1} {unit}")
}

/// See `docs/report-schema.md`, "The views".
pub fn milliseconds(time: f64) -> String {
    let digits = match time {
        ..10.0 => 3,
        ..100.0 => 2,
        _ => 1,
    };
    format!("{time:.digits$} ms")
}

/// See `docs/report-schema.md`, "The views".
pub fn scientific(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "∞" } else { "−∞" }.to_owned();
    }
    if number == 0.0 {
        return "0".to_owned();
    }
    let text = format!("{number:.1e}");
    let Some((mantissa, exponent)) = text.split_once('e') else { return text };
    let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
    format!("{mantissa}e{sign}{digits:0>2}")
}

/// `0.012 s`, `4.81 s`, `38.2 s`, `7 min 05 s`, `1 h 02 min`.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a time in whole seconds"
)]
pub fn seconds(time: f64) -> String {
    match time {
        ..0.9995 => return format!("{time:.3} s"),
        ..9.995 => return format!("{time:.2} s"),
        ..59.95 => return format!("{time:.1} s"),
        _ => {}
    }
    let whole = time.round() as u64;
    if whole < 3600 {
        return format!("{} min {:02} s", whole / 60, whole % 60);
    }
    let minutes = (whole + 30) / 60;
    format!("{} h {:02} min", minutes / 60, minutes % 60)
}

fn percent(share: f64) -> String {
    let hundredths = share * 100.0;
    match hundredths {
        0.0 => "0%".to_owned(),
        100.0 => "100%".to_owned(),
        _ if hundredths > 0.0 && hundredths < 0.01 => "<0.01%".to_owned(),
        _ if hundredths > 99.99 && hundredths < 100.0 => ">99.99%".to_owned(),
        _ => format!("{hundredths:.2}%"),
    }
}

fn thousands(number: f64) -> String {
    let digits = format!("{:.0}", number.trunc().abs());
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    if number <= -1.0 { format!("-{out}") } else { out }
}

fn logarithm(value: &Value) -> Value {
    let number = Some(value).filter(|value| value.kind() == ValueKind::Number);
    let number = number.and_then(|value| f64::try_from(value.clone()).ok());
    let number = number.filter(|number| number.is_finite() && *number > 0.0);
    number.map_or_else(|| Value::from(()), |number| Value::from(number.log10()))
}

/// Any text as one line of Markdown that shows it as it is.
fn markdown(text: &str) -> String {
    let characters: Vec<char> =
        text.chars().map(|each| if text::is_plain(each) { each } else { ' ' }).collect();
    let mut out = String::with_capacity(text.len());
    let mut before = ' ';
    for (at, &each) in characters.iter().enumerate() {
        let after = characters.get(at + 1).copied().unwrap_or(' ');
        match each {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '_' if before.is_alphanumeric() && after.is_alphanumeric() => out.push('_'),
            ':' if after != '/' => out.push(':'),
            '.' if !follows_www(&characters, at) => out.push('.'),
            '\\' | '`' | '*' | '_' | '[' | '|' | '~' | '#' | '$' | '@' | ':' | '.' => {
                out.extend(['\\', each]);
            }
            _ => out.push(each),
        }
        before = each;
    }
    out
}

fn follows_www(characters: &[char], at: usize) -> bool {
    let before = characters.get(at.saturating_sub(3)..at).unwrap_or_default();
    before.len() == 3 && before.iter().all(|each| each.eq_ignore_ascii_case(&'w'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_show_as_the_schema_says() {
        type Case = (fn(f64) -> String, &'static [(f64, &'static str)]);
        let cases: [Case; 6] = [
            (
                bytes,
                &[(0.0, "0 B"), (1023.0, "1023 B"), (162_340.0, "158.5 KiB"), (5e15, "4547.5 TiB")],
            ),
            (milliseconds, &[(0.0412, "0.041 ms"), (10.0, "10.00 ms"), (100.0, "100.0 ms")]),
            (
                scientific,
                &[
                    (0.0, "0"),
                    (9.5e-7, "9.5e-07"),
                    (1.2e300, "1.2e+300"),
                    (f64::NEG_INFINITY, "−∞"),
                ],
            ),
            (
                seconds,
                &[
                    (0.012, "0.012 s"),
                    (4.81, "4.81 s"),
                    (38.2, "38.2 s"),
                    (59.96, "1 min 00 s"),
                    (437.2, "7 min 17 s"),
                    (3720.0, "1 h 02 min"),
                ],
            ),
            (
                percent,
                &[
                    (0.0, "0%"),
                    (1.0, "100%"),
                    (1e-6, "<0.01%"),
                    (0.999_999, ">99.99%"),
                    (0.5, "50.00%"),
                ],
            ),
            (
                thousands,
                &[(59_392.0, "59,392"), (999.0, "999"), (1e6, "1,000,000"), (-1234.0, "-1,234")],
            ),
        ];
        for (filter, table) in cases {
            for (number, text) in table {
                assert_eq!(filter(*number), *text);
            }
        }
        assert_eq!(shown(&Value::from(()), bytes).unwrap(), "–");
        assert!(shown(&Value::from("x"), bytes).is_err());
        assert!(logarithm(&Value::from(0)).is_none() && logarithm(&Value::from(())).is_none());
        assert_eq!(logarithm(&Value::from(0.001)), Value::from(-3.0));
    }

    #[test]
    fn markdown_shows_any_text_as_it_is() {
        let cases = [
            ("a\nb\u{7f}", "a b "),
            ("<b>&", "&lt;b&gt;&amp;"),
            ("a_b _c_", "a_b \\_c\\_"),
            ("`x` *y* [z] | ~ # $ @ \\", "\\`x\\` \\*y\\* \\[z] \\| \\~ \\# \\$ \\@ \\\\"),
            ("http://a.b www.c: d.", "http\\://a.b www\\.c: d."),
        ];
        for (text, expected) in cases {
            assert_eq!(markdown(text), expected);
        }
    }
}
