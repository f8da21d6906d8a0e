/**
 * Renders chat templates (Jinja, by @huggingface/jinja) as transformers' apply_chat_template does: one message of the user's,
 * add_generation_prompt, no tools. A file may say anything, so that steps and sizes are bounded.
 */
import { Environment, Interpreter, parse, tokenize } from '@huggingface/jinja';
import { quote } from '../../base/quote';
import { isUserError, UserError } from '../../base/user-error';

/** Several times the longest templates there are. */
const MOST_CHARACTERS = 200_000;
/** Steps for any message, and for each of its characters. A message takes some hundred. */
const MOST_STEPS = 100_000;
const STEPS_OF_CHARACTER = 4;
/** So many characters of a text that is made count as a step; of a list, every element does. */
const CHARACTERS_OF_STEP = 64;

/**
 * Every day is the same one, the date that Llama's templates fall back on: a link and an evaluation that goes on read the same
 * tokens tomorrow.
 */
const dateParts: Readonly<Record<string, string>> = {
  ...{
    '%d': '26',
    '%b': 'Jul',
    '%B': 'July',
    '%m': '07',
    '%Y': '2024',
    '%y': '24',
    '%a': 'Fri',
    '%A': 'Friday',
  },
  ...{ '%H': '00', '%I': '12', '%M': '00', '%S': '00', '%p': 'AM', '%j': '208', '%%': '%' },
};

type Evaluate = Interpreter['evaluate'];

/** What is left of the steps that a template may take. */
class Budget {
  #steps: number;

  constructor(steps: number) {
    this.#steps = steps;
  }

  /** Throws UserError where nothing is left. */
  take(steps: number): void {
    this.#steps -= steps;
    if (!(this.#steps >= 0)) throw new UserError(ENDLESS);
  }
}

class BoundedInterpreter extends Interpreter {
  readonly #budget: Budget;

  constructor(environment: Environment, budget: Budget) {
    super(environment);
    this.#budget = budget;
  }

  override evaluate(...asked: Parameters<Evaluate>): ReturnType<Evaluate> {
    this.#budget.take(1);
    const result = super.evaluate(...asked);
    const { value } = result;
    if (typeof value === 'string') this.#budget.take(value.length / CHARACTERS_OF_STEP);
    else if (Array.isArray(value)) this.#budget.take(value.length);
    return result;
  }
}

const ENDLESS =
  'The chat template of this model has no end, or makes far more of a message than there is: it is damaged or hostile; read the text without it.';

/** Gives the whole text of a message, up to where the answer begins. UserError for a template that cannot be followed. */
export function makeRenderer(
  template: string,
  tokens: Readonly<Record<string, string>>,
): (message: string) => string {
  if (template.length > MOST_CHARACTERS) {
    throw new UserError(
      `The chat template of this model has ${template.length} characters, more than ${MOST_CHARACTERS}; read the text without it.`,
    );
  }
  const program = following(() => parse(tokenize(template, { lstrip_blocks: true, trim_blocks: true })));
  return (message) =>
    following(() => {
      const environment = new Environment();
      const budget = new Budget(MOST_STEPS + STEPS_OF_CHARACTER * message.length);
      const globals = {
        ...{ true: true, True: true, false: false, False: false, none: null, None: null },
        ...{ range: rangeWithin(budget), raise_exception: refuse },
        strftime_now: (format: string) => String(format).replace(/%./g, (part) => dateParts[part] ?? part),
        ...tokens,
        ...{ messages: [{ role: 'user', content: message }], add_generation_prompt: true },
        ...{ tools: null, documents: null },
      };
      for (const [name, value] of Object.entries(globals)) environment.set(name, value);
      return String(new BoundedInterpreter(environment, budget).run(program).value);
    });
}

function following<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (isUserError(error)) throw error;
    throw new UserError(
      `The chat template of this model cannot be followed: ${quote((error as Error).message, 200)}; read the text without it.`,
    );
  }
}

function refuse(message: unknown): never {
  throw new UserError(
    `The chat template of this model refuses the message: ${quote(String(message), 200)}; read the text without it.`,
  );
}

/** Python's range, of no more elements than there are steps. */
function rangeWithin(budget: Budget): (...bounds: number[]) => number[] {
  return (...bounds) => {
    const [start, stop, step = 1] = bounds.length === 1 ? [0, bounds[0]!] : bounds;
    const length = Math.max(0, Math.ceil((stop! - start!) / step));
    budget.take(length);
    return Array.from({ length }, (_, i) => start! + i * step);
  };
}
