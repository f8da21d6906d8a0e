/**
 * A problem that the user can do something about: bad input, an unsupported model, a missing file.
 * The message is one sentence that says what is wrong and what to do; it is shown as it is, without a stack.
 */
export class UserError extends Error {
  override readonly name = 'UserError';
}

/** Whether an error carries a sentence meant for the user. By name, so that it holds across workers and bundles. */
export function isUserError(error: unknown): error is UserError {
  return error instanceof Error && error.name === 'UserError';
}
