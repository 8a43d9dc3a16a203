// `FileHandle` where the streams of `deno_node` look for it.
import { core } from "ext:core/mod.js";
const handle = core.loadExtScript("ext:fourfront/fs/handle.js");
export const FileHandle = handle.FileHandle;
export const kRef = handle.kRef;
export const kUnref = handle.kUnref;
export default { FileHandle };
