# workerd beside the node: one worker that makes an answer of its own (conformance/load/README.md).
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [(name = "main", worker = .worker)],
  sockets = [(name = "http", address = "127.0.0.1:@PORT@", http = (), service = "main")],
);

const worker :Workerd.Worker = (
  modules = [(name = "workerd.js", esModule = embed "@SCRIPT@")],
  compatibilityDate = "2025-01-01",
);
