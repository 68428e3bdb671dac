#pragma once

#include "coordinator/core.h"

namespace pgmosaic::coordinator {

/// Deletes the decisions that nobody will ask for again: what a coordinator left behind that died before it could.
///
/// A *yes* may go when no shard lists its transaction as prepared; a *no* also not before every transaction on the decision shard
/// that is older than it has ended, for such a one may belong to a coordinator that only sleeps, and would say yes when it wakes
/// (PROTOCOLS 1.6).
///
/// Errors    throws if a shard cannot be asked: then nothing is deleted
Task<> sweep_decisions(Core& core);

}  // namespace pgmosaic::coordinator
