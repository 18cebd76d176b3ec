// Loops and conditionals. Part of impl.hpp.
//
// TensorRT has no calls that open or close a body: what uses a tensor of a loop or conditional
// belongs to it.

uint32_t NetworkImpl::add_loop()
{
    auto& loop = need(network_->addLoop());
    loop.setName(name_.c_str());
    check();
    loops_.push_back(&loop);
    return static_cast<uint32_t>(loops_.size() - 1);
}

void NetworkImpl::add_trip_limit(uint32_t at, uint32_t input, TripLimitKind kind)
{
    finish(made(loops_.at(at)->addTripLimit(tensor(input), native(kind))));
}

Outputs NetworkImpl::add_iterator(uint32_t at, uint32_t input, int32_t axis, bool reverse)
{
    return finish(made(loops_.at(at)->addIterator(tensor(input), axis, reverse)));
}

Outputs NetworkImpl::add_recurrence(uint32_t at, uint32_t initial)
{
    return finish(made(loops_.at(at)->addRecurrence(tensor(initial))));
}

void NetworkImpl::close_recurrence(uint32_t recurrence, uint32_t body)
{
    need(tensors_.at(recurrence).layer).setInput(1, tensor(body));
    check();
}

Outputs NetworkImpl::add_loop_output(
    uint32_t at, uint32_t input, LoopOutputKind kind, int32_t axis, uint32_t length)
{
    auto& layer = made(loops_.at(at)->addLoopOutput(tensor(input), native(kind), axis));
    set_optional_input(layer, 1, length);
    return finish(layer);
}

uint32_t NetworkImpl::add_conditional(uint32_t condition)
{
    auto& conditional = need(network_->addIfConditional());
    conditional.setName(name_.c_str());
    finish(made(conditional.setCondition(tensor(condition))));
    conditionals_.push_back(&conditional);
    return static_cast<uint32_t>(conditionals_.size() - 1);
}

Outputs NetworkImpl::add_conditional_input(uint32_t at, uint32_t input)
{
    return finish(made(conditionals_.at(at)->addInput(tensor(input))));
}

Outputs NetworkImpl::add_conditional_output(uint32_t at, uint32_t then_output, uint32_t else_output)
{
    return finish(made(conditionals_.at(at)->addOutput(tensor(then_output), tensor(else_output))));
}
