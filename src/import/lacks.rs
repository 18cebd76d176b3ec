//! What of ONNX is not converted, and why: the last table of `onnx2plan ops`.
//!
//! Tests hold it complete: every operator of ONNX has a row in the registry or here, and every
//! reason in `tests/backend.txt` and `tests/zoo.txt` is one of these.

/// Something that is not converted.
#[derive(Debug, Clone, Copy, serde::Serialize)]
pub struct Lack {
    /// The operators, with their domain where it is not ONNX's own; empty where any may be
    /// concerned.
    pub operators: &'static [&'static str],
    /// What of them; empty where it is all of them.
    pub part: &'static str,
    /// Why.
    pub cause: &'static str,
    /// How errors say it: each has one of these words.
    #[serde(skip)]
    pub said: &'static [&'static str],
}

/// Operators of which nothing is converted.
const fn whole(operators: &'static [&'static str], cause: &'static str) -> Lack {
    Lack { operators, part: "", cause, said: &["this operator is not supported"] }
}

/// A part of operators that are converted otherwise.
const fn part(
    operators: &'static [&'static str],
    part: &'static str,
    cause: &'static str,
    said: &'static [&'static str],
) -> Lack {
    Lack { operators, part, cause, said }
}

const NO_STRINGS: &str = "TensorRT has no strings; do this before the network";

/// All of it, operators first.
pub const LACKS: &[Lack] = &[
    whole(
        &["ImageDecoder"],
        "files of images are bytes of unknown length; decode them before the network",
    ),
    whole(
        &["TRT_FP4DynamicQuantize", "TRT_MXFP8DequantizeLinear", "TRT_MXFP8DynamicQuantize"],
        "only GPUs from Blackwell on compute in these types; quantize to FP8 or INT8",
    ),
    whole(
        &["TRT_Attention", "TRT_KVCacheUpdate", "TRT_MoE"],
        "they stand for layers of TensorRT that older libraries lack; export ONNX's own Attention",
    ),
    whole(&["MaxRoiPool"], "TensorRT has no layer for it; MaxPool and RoiAlign are converted"),
    whole(&["Multinomial"], "TensorRT draws no samples from a distribution given at run time"),
    whole(
        &["RegexFullMatch", "StringConcat", "StringNormalizer", "StringSplit", "TfIdfVectorizer"],
        NO_STRINGS,
    ),
    whole(
        &[
            "ai.onnx.ml.Binarizer",
            "ai.onnx.ml.CastMap",
            "ai.onnx.ml.CategoryMapper",
            "ai.onnx.ml.DictVectorizer",
            "ai.onnx.ml.FeatureVectorizer",
            "ai.onnx.ml.Imputer",
            "ai.onnx.ml.LabelEncoder",
            "ai.onnx.ml.LinearClassifier",
            "ai.onnx.ml.LinearRegressor",
            "ai.onnx.ml.Normalizer",
            "ai.onnx.ml.OneHotEncoder",
            "ai.onnx.ml.SVMClassifier",
            "ai.onnx.ml.SVMRegressor",
            "ai.onnx.ml.Scaler",
            "ai.onnx.ml.TreeEnsemble",
            "ai.onnx.ml.TreeEnsembleClassifier",
            "ai.onnx.ml.TreeEnsembleRegressor",
            "ai.onnx.ml.ZipMap",
        ],
        "models of tables and dictionaries, not of tensors; TensorRT has no layers for them",
    ),
    whole(&["ai.onnx.preview.training.Gradient"], "a plan computes forward only"),
    part(&[], "elements of type string", NO_STRINGS, &["type string"]),
    part(
        &[],
        "elements of type i2, u2, u4, i16, u16, u32, u64, f8e5m2, f8e5m2fnuz, f8e4m3fnuz, f8e8m0",
        "TensorRT has no such type, or does not convert it",
        &[
            "type i2",
            "type u2",
            "type u4",
            "type i16",
            "type u16",
            "type u32",
            "type u64",
            "type f8e5m2",
            "fnuz",
            "f8e8m0",
        ],
    ),
    part(
        &[],
        "sequences and optional values that enter or leave the model",
        "a plan takes and gives tensors; inside the model they are resolved",
        &["holds a sequence or an optional value"],
    ),
    part(
        &["Cast", "CastLike", "DequantizeLinear", "QuantizeLinear"],
        "an odd number of elements of 4 bits",
        "TensorRT-RTX refuses them",
        &["it quantizes no odd number of elements"],
    ),
    part(
        &["Cast", "CastLike"],
        "`saturate` 0",
        "TensorRT always saturates",
        &["attribute `saturate` is 0"],
    ),
    part(
        &["BitCast"],
        "between types of other widths, and of f32 and f64 that are no constants",
        "TensorRT has no layer that reads bits as another type",
        &["as wide as the result's", "constants, bool, u8, i8"],
    ),
    part(
        &["BatchNormalization", "Dropout"],
        "training",
        "a plan is for inference",
        &["training mode is not supported"],
    ),
    part(
        &["Bernoulli", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"],
        "the numbers of another runtime",
        "converted, but TensorRT's random numbers are its own: there is nothing to compare them \
         with",
        &["random values cannot be evaluated"],
    ),
    part(
        &["NonMaxSuppression", "NonZero", "Unique"],
        "on TensorRT-RTX without a GPU",
        "its builder has no implementation there; `--nms-fixed` gives NonMaxSuppression another \
         form",
        &["has no runners that implement it"],
    ),
];

/// Why nothing of an operator is converted, where there is a reason. The name has its domain, but
/// for ONNX's own.
pub fn cause(operator: &str) -> Option<&'static str> {
    let lack = LACKS.iter().find(|lack| lack.part.is_empty() && lack.operators.contains(&operator));
    lack.map(|lack| lack.cause)
}
