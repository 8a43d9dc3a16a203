"use strict"; return ((function () {
// Checks of arguments whose own frames stay out of the stack. Stands in place of the crate's file, which takes the stack
// anew and with it drops the error's code from the first line (NC-24).
const { primordials } = __bootstrap;
const { Error, ErrorCaptureStackTrace, ObjectDefineProperty, ReflectApply } = primordials;

function hideStackFrames(check) {
  function hidden(...args) {
    try {
      return ReflectApply(check, this, args);
    } catch (error) {
      if (Error.stackTraceLimit) retake(error, hidden);
      throw error;
    }
  }
  ObjectDefineProperty(hidden, "name", { __proto__: null, value: check.name });
  hidden.withoutStackTrace = check;
  return hidden;
}

/** The stack from the caller of `above`, its first line with the code as Node writes it. */
function retake(error, above) {
  const { code, name } = error;
  if (typeof code !== "string") {
    ErrorCaptureStackTrace(error, above);
    return;
  }
  error.name = `${name} [${code}]`;
  ErrorCaptureStackTrace(error, above);
  // The first line is made when the stack is first read.
  void error.stack;
  delete error.name;
}

return { hideStackFrames };
})()
);
