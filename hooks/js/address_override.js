// Where the host may make servers listen instead: servers of functions listen nowhere (NC-91).
export const SERVER_KIND_NODE_HTTP = 0, SERVER_KIND_NODE_HTTP2 = 1, SERVER_KIND_NODE_HTTPS = 2;
export const applyAddressOverride = () => ({ mode: "none" });
export const notifyAddressOverrideServing = () => {};
export const startOverrideListener = () => {};
