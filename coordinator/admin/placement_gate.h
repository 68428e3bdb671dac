#pragma once

#include <memory>

#include "coordinator/admin/gate.h"

namespace pgmosaic::coordinator {

class Session;

/// A session's place at the gate of its database; kept in its Transaction.
struct GateVisit {
    Gate* gate = nullptr;
    bool inside = false;
};

/// Called before a query string or a pipeline is planned; nothing happens if the session is inside already.
/// Errors: 57P03 if the gate stays closed.
Task<> enter_gate(Session& session);
/// The same without waiting: false if enter_gate() must be awaited.
bool try_enter_gate(Session& session);
/// Called when its ReadyForQuery is made, and when the session ends.
void leave_gate(Session& session);

/// Keeps all cores' gates of a database closed. The last owner publishes that the catalog has changed and opens them.
using GateHold = std::shared_ptr<void>;

/// Called before the COMMIT of a transaction that changed the place of tables: closes the gate on every core, ends statements
/// that wait for this transaction's locks (planned by the old catalog, they would go on with it), and waits for the
/// others. The transaction keeps the hold until it has ended. Does nothing if no table changed its place, or if it holds already.
///
/// Errors  55006 if statements of other sessions did not end in time; the transaction can then only be rolled back
/// Bound   others are held back for half a second at a time; ten seconds altogether
Task<> hold_gate(Session& session);

}  // namespace pgmosaic::coordinator
