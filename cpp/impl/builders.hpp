// Builders, kept for the next network where starting one is slow. Part of impl.hpp.

// TensorRT takes seconds and gigabytes to start a builder, TensorRT-RTX next to nothing.
#ifdef TRT_MAJOR_RTX
constexpr bool keep_builders = false;
#else
constexpr bool keep_builders = true;
#endif

// Builders that have done their work, with the entry that made them. Never freed: TensorRT's
// threads may outlive us.
class IdleBuilders
{
public:
    static IdleBuilders& all()
    {
        static auto& instance = *new IdleBuilders;
        return instance;
    }

    nv::IBuilder* take(Entry made_by)
    {
        std::lock_guard lock(mutex_);
        auto const found = std::find_if(
            idle_.begin(), idle_.end(), [&](auto& idle) { return idle.first == made_by; });
        if (found == idle_.end())
        {
            return nullptr;
        }
        auto* const builder = found->second;
        idle_.erase(found);
        return builder;
    }

    void put(Entry made_by, nv::IBuilder* builder)
    {
        std::lock_guard lock(mutex_);
        idle_.emplace_back(made_by, builder);
    }

private:
    std::mutex mutex_;
    std::vector<std::pair<Entry, nv::IBuilder*>> idle_;
};

// What becomes of a builder whose network is done.
struct Retire
{
    Entry made_by;

    void operator()(nv::IBuilder* builder) const
    {
        if constexpr (keep_builders)
        {
            builder->setErrorRecorder(nullptr);
            builder->reset();
            IdleBuilders::all().put(made_by, builder);
        }
        else
        {
            delete builder;
        }
    }
};

using BuilderPtr = std::unique_ptr<nv::IBuilder, Retire>;
