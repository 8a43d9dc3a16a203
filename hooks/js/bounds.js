// The bounds of `bounded.js`, put on everything that functions find when they begin. Works on every context.

import { core, internals } from "ext:core/mod.js";
import { op_ff_heavy } from "ext:core/ops";

internals.bound = makeBounds(core.isProxy, op_ff_heavy);
internals.bound(globalThis);

