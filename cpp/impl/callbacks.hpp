// What TensorRT calls: log, errors, progress, plan. Part of impl.hpp.
//
// All of it is called from code that must not throw; the Rust side catches its own panics.

rust::Slice<uint8_t const> bytes_of(char const* text) noexcept
{
    // Messages need not be UTF-8, so they cross as bytes.
    return {reinterpret_cast<uint8_t const*>(text),
        text == nullptr ? 0 : std::char_traits<char>::length(text)};
}

Severity severity_of(nv::ILogger::Severity severity) noexcept
{
    switch (severity)
    {
    case nv::ILogger::Severity::kINTERNAL_ERROR: return Severity::InternalError;
    case nv::ILogger::Severity::kERROR: return Severity::Error;
    case nv::ILogger::Severity::kWARNING: return Severity::Warning;
    case nv::ILogger::Severity::kINFO: return Severity::Info;
    default: return Severity::Verbose;
    }
}

class Logger final : public nv::ILogger
{
public:
    void log(Severity severity, nv::AsciiChar const* message) noexcept override
    {
        if (message != nullptr)
        {
            log_line(severity_of(severity), bytes_of(message));
        }
    }
};

// TensorRT keeps the first logger it is given and complains about others, so there is one and it is
// never freed.
nv::ILogger& logger()
{
    static auto& instance = *new Logger;
    return instance;
}

// Keeps what went wrong. Worker threads of TensorRT may report too.
class Recorder final : public nv::IErrorRecorder
{
public:
    int32_t getNbErrors() const noexcept override
    {
        std::lock_guard lock(mutex_);
        return static_cast<int32_t>(errors_.size());
    }
    nv::ErrorCode getErrorCode(int32_t index) const noexcept override
    {
        std::lock_guard lock(mutex_);
        return known(index) ? errors_[static_cast<size_t>(index)].first : nv::ErrorCode::kSUCCESS;
    }
    ErrorDesc getErrorDesc(int32_t index) const noexcept override
    {
        std::lock_guard lock(mutex_);
        return known(index) ? errors_[static_cast<size_t>(index)].second.c_str() : "";
    }
    bool hasOverflowed() const noexcept override
    {
        return false;
    }
    void clear() noexcept override
    {
        std::lock_guard lock(mutex_);
        errors_.clear();
    }
    bool reportError(nv::ErrorCode code, ErrorDesc description) noexcept override
    {
        std::lock_guard lock(mutex_);
        errors_.emplace_back(code, description == nullptr ? "" : description);
        return true;
    }
    // The network owns the recorder; TensorRT's count decides nothing.
    RefCount incRefCount() noexcept override
    {
        return 1;
    }
    RefCount decRefCount() noexcept override
    {
        return 1;
    }

    // What was recorded since the last call, oldest first.
    std::vector<std::string> take()
    {
        std::lock_guard lock(mutex_);
        std::vector<std::string> messages;
        for (auto& [code, message] : errors_)
        {
            messages.push_back(std::move(message));
        }
        errors_.clear();
        return messages;
    }

    // Throws the first recorded message: later ones are consequences.
    void check()
    {
        if (auto messages = take(); !messages.empty())
        {
            throw std::runtime_error(messages.front());
        }
    }

    void expect(bool done, char const* what)
    {
        check();
        if (!done)
        {
            throw std::runtime_error(std::string("TensorRT refused ") + what + " without a reason");
        }
    }

    // What TensorRT returned. TensorRT 11 without a driver gives small numbers instead of null.
    template <class T> T& need(T* pointer, char const* what)
    {
        expect(reinterpret_cast<uintptr_t>(pointer) >= 65536, what);
        return *pointer;
    }

private:
    bool known(int32_t index) const noexcept
    {
        return index >= 0 && static_cast<size_t>(index) < errors_.size();
    }

    mutable std::mutex mutex_;
    // A deque, because descriptions are handed out by address.
    std::deque<std::pair<nv::ErrorCode, std::string>> errors_;
};

#ifdef ONNX2PLAN_MONITOR
class Monitor final : public nv::IProgressMonitor
{
public:
    explicit Monitor(Job const& job) : job_(job) {}
    void phaseStart(char const* name, char const* parent, int32_t) noexcept override
    {
        job_.phase_begins(bytes_of(name), bytes_of(parent));
    }
    bool stepComplete(char const*, int32_t) noexcept override
    {
        return job_.keep_going();
    }
    void phaseFinish(char const* name) noexcept override
    {
        job_.phase_ends(bytes_of(name));
    }

private:
    Job const& job_;
};
#endif

#ifdef ONNX2PLAN_STREAM
class Writer final : public nv::IStreamWriter
{
public:
    explicit Writer(Job const& job) : job_(job) {}
    int64_t write(void const* data, int64_t count) override
    {
        rust::Slice chunk(static_cast<uint8_t const*>(data), static_cast<size_t>(count));
        return job_.write(chunk) ? count : 0;
    }

private:
    Job const& job_;
};
#endif
