// AssemblyScript can't write the colons and slashes in the name that task.wit wants of a module's export.

import { Transform } from "assemblyscript/transform";

export default class extends Transform {
  afterCompile(module) {
    if (!module.getExport("handle")) throw new Error("assembly/task.ts has to export `handle`, as `sandstep new` wrote it");
    module.addFunctionExport("assembly/task/handle", "sandstep:task/handler@0.1.0#handle");
    module.removeExport("handle");
  }
}
