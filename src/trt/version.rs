//! Versions of TensorRT libraries, and which headers fit them.

use super::ffi::{self, HeaderSet};
use crate::network::caps::Caps;
use std::fmt;

/// Version of a TensorRT library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Version {
    /// Whether it is TensorRT-RTX, which counts on its own.
    pub rtx: bool,
    /// First number.
    pub major: u32,
    /// Second number.
    pub minor: u32,
    /// Third number.
    pub patch: u32,
    /// Fourth number, where the library tells it: TensorRT 8 does not.
    pub build: Option<u32>,
}

impl Version {
    /// Reads what `getInferLibVersion` gives: 4 digits from TensorRT 8 and 9, 5 from TensorRT-RTX,
    /// 6 from 10 on.
    pub(super) fn from_number(number: i32) -> Option<Self> {
        let number = u32::try_from(number).ok()?;
        let (rtx, thousand) = match number {
            1_000..10_000 => (false, 1_000),
            10_000..100_000 => (true, 10_000),
            100_000..1_000_000 => (false, 10_000),
            _ => return None,
        };
        let (major, rest) = (number / thousand, number % thousand);
        Some(Self { rtx, major, minor: rest / 100, patch: rest % 100, build: None })
    }

    /// The headers that drive this version, if they are built in.
    pub(super) fn header_set(self) -> Option<HeaderSet> {
        match (self.rtx, self.major, self.minor) {
            // Interfaces only grew from RTX 1.5 to 1.7, and grow within TensorRT 11; the shim uses
            // none of the newer functions. Nobody knows RTX 1.8 yet, and 1.5 broke with 1.4.
            (true, 1, 5..=7) => Some(HeaderSet::Rtx17),
            (false, 11, _) => Some(HeaderSet::Trt114),
            _ => Self::of_sdk().filter(|&sdk| self.driven_by(sdk)).map(|_| HeaderSet::Sdk),
        }
    }

    /// What this version can do.
    pub(super) fn caps(self) -> Caps {
        let modern = Caps::modern();
        match (self.rtx, self.major, self.minor) {
            // TensorRT-RTX 1.3 and 1.4 are TensorRT 10.12 and later; volumes came with 1.6.
            (true, 0, _) | (true, 1, ..=5) => Caps { volumes: false, ..modern },
            (true, ..) | (false, 11.., _) => modern,
            (false, 10, minor) => Caps {
                squeeze: minor >= 7,
                cumulative: minor >= 8,
                is_nan: minor >= 1,
                groups: minor >= 15,
                volumes: false,
                ..modern
            },
            (false, 9, _) => Caps { rnn: false, ..Caps::eight() },
            (false, ..=8, _) => Caps::eight(),
        }
    }

    /// The SDK that was named when this program was built.
    pub(super) fn of_sdk() -> Option<Self> {
        Self::from_number(ffi::header_version(HeaderSet::Sdk))
    }

    /// Whether the headers of `sdk` fit: the same interfaces, and none that this version lacks.
    fn driven_by(self, sdk: Self) -> bool {
        (self.rtx, self.major) == (sdk.rtx, sdk.major)
            && self.minor >= sdk.minor
            && (!self.rtx || self.minor < 5)
    }
}

/// As NVIDIA writes it: `TensorRT-RTX 1.7.1.116`, `TensorRT 8.6.1`.
impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if self.rtx { "TensorRT-RTX" } else { "TensorRT" };
        write!(f, "{name} {}.{}.{}", self.major, self.minor, self.patch)?;
        self.build.map_or(Ok(()), |build| write!(f, ".{build}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_nvidia_counts() {
        for (number, text) in [
            (8_601, "TensorRT 8.6.1"),
            (10_701, "TensorRT-RTX 1.7.1"),
            (101_600, "TensorRT 10.16.0"),
            (110_400, "TensorRT 11.4.0"),
        ] {
            assert_eq!(Version::from_number(number).unwrap().to_string(), text);
        }
        for number in [-1, 0, 999, 1_000_000] {
            assert_eq!(Version::from_number(number), None, "{number}");
        }
    }

    #[test]
    fn abilities_grow_with_the_version() {
        let caps = |number| Version::from_number(number).unwrap().caps();
        assert_eq!(caps(10_701), Caps::modern());
        assert_eq!(caps(110_400), Caps::modern());
        assert_eq!(
            caps(100_700),
            Caps { cumulative: false, groups: false, volumes: false, ..Caps::modern() }
        );
        assert_eq!(caps(10_500), Caps { volumes: false, ..Caps::modern() });
        assert_eq!(caps(8_601), Caps::eight());
    }

    #[test]
    fn only_matching_headers_drive_a_library() {
        let set = |number| Version::from_number(number).unwrap().header_set();
        assert_eq!(set(10_701), Some(HeaderSet::Rtx17));
        assert_eq!(set(10_500), Some(HeaderSet::Rtx17));
        assert_eq!(set(10_800), None);
        assert_eq!(set(110_000), Some(HeaderSet::Trt114));
        let version = |number| Version::from_number(number).unwrap();
        assert!(version(101_601).driven_by(version(101_600)));
        assert!(!version(101_300).driven_by(version(101_600)));
        assert!(!version(8_601).driven_by(version(101_600)));
    }
}
