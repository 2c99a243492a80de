"""HTTP server worker: request parsing within limits, connections and threads."""
