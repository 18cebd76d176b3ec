//! The words of trtexec and Polygraphy, and what to say here. `docs/compared.md` has the reasons.

/// Words of a tool that mean the same, and what to say here.
pub(super) type Answer = (&'static str, &'static [&'static str], &'static str);

const FEW_BITS: &str = "models whose weights have 4 bits are converted; none are made here";
const TIMED: &str = "`onnx2plan time PLAN` measures, with `--runs` and `--warmup`";
const NO_DLA: &str = "plans for the DLA are not made here";
const NO_PLUGINS: &str = "plugins are not loaded here; `onnx2plan ops` lists what converts without";
const NO_FORMATS: &str = "inputs and outputs are always linear in memory, as the model says";

const NO_REFIT: &str = "plans hold their weights, and cannot be refitted here";
const NO_SAFETY: &str = "safety builds are not made here";
const NO_ROUTES: &str = "build routes are not searched here";
const NOTHING: &str = "nothing here takes its place yet";

/// Options of other tools that do not exist here.
#[rustfmt::skip]
pub(super) const OPTIONS: &[Answer] = &[
    ("trtexec", &["--onnx"], "name the model alone: `onnx2plan model.onnx`"),
    ("trtexec", &["--saveEngine"], "say `--output FILE`"),
    ("trtexec", &["--loadEngine"], "say `onnx2plan time PLAN` or `onnx2plan verify PLAN`"),
    ("trtexec", &["--minShapes"], "say `--min NAME:1x3x224x224`"),
    ("trtexec", &["--optShapes"], "say `--opt NAME:8x3x224x224`"),
    ("trtexec", &["--maxShapes"], "say `--max NAME:32x3x224x224`"),
    ("trtexec", &["--shapes"], "say `--shape NAME:1x3x224x224`"),
    ("trtexec", &["--fp16"], "say `--precision f16`, which also keeps the outputs in a bound"),
    ("trtexec", &["--bf16"], "say `--precision bf16`, which also keeps the outputs in a bound"),
    ("trtexec", &["--best"], "say `--precision auto`, which takes what keeps the outputs right"),
    ("trtexec", &["--int8"], "say `--precision int8`, with data in `--calibrate`"),
    ("trtexec", &["--fp8"], "say `--precision fp8`, with data in `--calibrate`"),
    ("trtexec", &["--int4"], FEW_BITS),
    ("trtexec", &["--calib"], "say `--calibrate DATA`, and `--quantize` for scales that are known"),
    ("trtexec", &["--stronglyTyped"], "networks are always strongly typed: leave it out"),
    ("trtexec", &["--layerPrecisions", "--precisionConstraints"], "say `--keep NODE=f32`"),
    ("trtexec", &["--noTF32"], "say `--no-tf32`"),
    ("trtexec", &["--memPoolSize"], "say `--workspace MIB`"),
    ("trtexec", &["--builderOptimizationLevel"], "say `--optimization-level LEVEL`"),
    ("trtexec", &["--hardwareCompatibilityLevel"], "say `--target SM` for each GPU to build for"),
    ("trtexec", &["--skipInference", "--buildOnly"], "say `--no-verify`"),
    ("trtexec", &["--dumpLayerInfo", "--exportLayerInfo"], "say `onnx2plan inspect PLAN`"),
    ("trtexec", &["--loadInputs"], "say `onnx2plan verify MODEL --inputs FILE.npz`"),
    ("trtexec", &["--loadRefOutputs", "--refPair"], "say `onnx2plan verify MODEL --data FOLDER`"),
    ("trtexec", &["--iterations", "--duration", "--avgRuns"], TIMED),
    ("trtexec", &["--warmUp", "--percentile", "--exportTimes"], TIMED),
    ("trtexec", &["--useCudaGraph", "--noCudaGraph"], "`onnx2plan time` measures both ways"),
    ("trtexec", &["--noDataTransfers"], "`onnx2plan time` never measures transfers: leave it out"),
    ("trtexec", &["--useDLACore", "--allowGPUFallback", "--buildDLAStandalone"], NO_DLA),
    ("trtexec", &["--plugins", "--staticPlugins", "--dynamicPlugins"], NO_PLUGINS),
    ("trtexec", &["--inputIOFormats", "--outputIOFormats"], NO_FORMATS),
    ("trtexec", &["--device"], "choose the GPU with the variable CUDA_VISIBLE_DEVICES"),
    ("trtexec", &["--monitorMemory"], "`--json` tells the peak memory of the process, not that of the GPU"),
    ("trtexec", &["--asyncFileReader"], "plans are mapped into memory: leave it out"),
    ("trtexec", &["--getPlanVersionOnly"], "say `onnx2plan inspect PLAN`"),
    ("trtexec", &["--dumpOptimizationProfile"], "say `onnx2plan inspect PLAN`"),
    ("trtexec", &["--markDebug"], "say `onnx2plan verify MODEL --by-layer`"),
    ("trtexec", &["--markUnfusedTensorsAsDebugTensors"], "say `onnx2plan verify MODEL --by-layer`"),
    ("trtexec", &["--saveDebugTensors"], "say `onnx2plan verify MODEL --reproducer FOLDER`"),
    ("trtexec", &["--saveAllDebugTensors"], "say `onnx2plan verify MODEL --by-layer`"),
    ("trtexec", &["--accuracyAlgorithm"], "`onnx2plan verify` judges each element"),
    ("trtexec", &["--accuracyThreshold"], "say `onnx2plan verify MODEL --atol ERROR --rtol SHARE`"),
    ("trtexec", &["--cpuOnly"], "TensorRT-RTX always builds without a GPU: leave it out"),
    ("trtexec", &["--profilingVerbosity"], "layers always carry their nodes: leave it out"),
    ("trtexec", &["--useProfile"], "`onnx2plan time` takes the first profile, `verify` all"),
    ("trtexec", &["--dumpRefit", "--refit", "--refitFromOnnx", "--stripAllWeights"], NO_REFIT),
    ("trtexec", &["--stripWeights", "--timeRefit"], NO_REFIT),
    ("trtexec", &["--consistency", "--dumpKernelText", "--remoteAutoTuningConfig"], NO_SAFETY),
    ("trtexec", &["--safe", "--safetyPlugins"], NO_SAFETY),
    ("trtexec", &["--adjustForDLA", "--layerDeviceTypes", "--reportCapabilityDLA"], NO_DLA),
    ("trtexec", &["--uint8AsymmetricQuantizationDLA"], NO_DLA),
    ("trtexec", &["--enablePluginOverride", "--ignoreParsedPluginLibs", "--pi"], NO_PLUGINS),
    ("trtexec", &["--pluginInstanceNorm", "--setPluginsToSerialize"], NO_PLUGINS),
    ("trtexec", &["--continue", "--dryRun", "--helpBuildRoute"], NO_ROUTES),
    ("trtexec", &["--saveAllEngines", "--setBuildRoute"], NO_ROUTES),
    ("trtexec", &["--tuneBuildRouteFile", "--tuneBuildRoutes", "--tuningCacheFile"], NO_ROUTES),
    ("trtexec", &["--tuningSearch", "--tuningTimeOut"], NO_ROUTES),
    ("trtexec", &["--allocationStrategy", "--dumpOutput", "--dumpProfile"], NOTHING),
    ("trtexec", &["--dumpRawBindingsToFile", "--exportOutput", "--exportProfile"], NOTHING),
    ("trtexec", &["--exposeDMA", "--idleTime", "--includeDataTransfers", "--infStreams"], NOTHING),
    ("trtexec", &["--noSpinWait", "--persistentCacheRatio", "--separateProfileRun"], NOTHING),
    ("trtexec", &["--sleepTime", "--threads", "--timeDeserialize", "--useManagedMemory"], NOTHING),
    ("trtexec", &["--useSpinWait"], NOTHING),
    ("trtexec", &["--allowWeightStreaming", "--avgTiming", "--decomposableAttentions"], NOTHING),
    ("trtexec", &["--directIO", "--errorOnTimingCacheMiss", "--excludeLeanRuntime"], NOTHING),
    ("trtexec", &["--l2LimitForTiling", "--leanDLLPath", "--maxAuxStreams"], NOTHING),
    ("trtexec", &["--maxTactics", "--noBuilderCache", "--noCompilationCache"], NOTHING),
    ("trtexec", &["--preview", "--runtimePlatform", "--sparsity", "--tacticSources"], NOTHING),
    ("trtexec", &["--tempdir", "--tempfileControls", "--tilingOptimizationLevel"], NOTHING),
    ("trtexec", &["--timingCacheFile", "--useRuntime", "--vc", "--versionCompatible"], NOTHING),
    ("trtexec", &["--weightStreamingBudget"], NOTHING),
    ("Polygraphy", &["--trt-min-shapes"], "say `--min NAME:1x3x224x224`"),
    ("Polygraphy", &["--trt-opt-shapes"], "say `--opt NAME:8x3x224x224`"),
    ("Polygraphy", &["--trt-max-shapes"], "say `--max NAME:32x3x224x224`"),
    ("Polygraphy", &["--input-shapes"], "say `--shape NAME:1x3x224x224`"),
    ("Polygraphy", &["--trt-outputs", "--onnx-outputs"], "say `--to TENSOR`"),
    ("Polygraphy", &["--save-engine", "--convert-to"], "say `--output FILE`"),
    ("Polygraphy", &["--trt", "--onnxrt"], "`onnx2plan verify MODEL` compares with ONNX Runtime"),
    ("Polygraphy", &["--load-inputs", "--data-loader-script"], "say `--inputs FILE.npz`"),
    ("Polygraphy", &["--load-outputs"], "say `--data FOLDER`"),
    ("Polygraphy", &["--val-range"], "say `--inputs FILE.npz` with numbers of that range"),
    ("Polygraphy", &["--validate"], "`verify` always looks for NaN and infinity: leave it out"),
    ("Polygraphy", &["--pool-limit"], "say `--workspace MIB`"),
    ("Polygraphy", &["--builder-optimization-level"], "say `--optimization-level LEVEL`"),
    ("Polygraphy", &["--model-type", "--display-as"], "the file itself says it: leave it out"),
    ("Polygraphy", &["--show"], "`inspect` shows all; `--json` prints it for programs"),
];

/// Commands of other tools that do not exist here.
#[rustfmt::skip]
pub(super) const COMMANDS: &[Answer] = &[
    ("Polygraphy", &["surgeon"], "say `onnx2plan MODEL --from TENSOR --to TENSOR`"),
    ("Polygraphy", &["run"], "say `onnx2plan verify MODEL`"),
    ("Polygraphy", &["check"], "say `onnx2plan inspect MODEL`"),
    ("Polygraphy", &["debug"], "say `onnx2plan verify MODEL --reproducer FOLDER`"),
    ("Polygraphy", &["data"], "`onnx2plan verify MODEL --inputs FILE.npz` takes NumPy's archives"),
    ("Polygraphy", &["template"], "no script is needed: `onnx2plan help` lists the options"),
    ("Polygraphy", &["plugin"], NO_PLUGINS),
    ("trtexec", &["trtexec"], "say `onnx2plan MODEL`"),
];
