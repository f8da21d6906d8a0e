import { isAnswerTelling } from '../../src/page/summary';
import type { AnswerMeasurement, Difference, FreeRunMeasurement } from '../../src/study/results';
import { formatCount, formatRank, invisibleName } from '../shared/format';
import { Empty, Hidden, TokenName } from '../shared/Text';
import styles from './AnswerPanel.module.css';

interface AnswerTextsProps {
  freeRun: FreeRunMeasurement;
  /** Of the method that answered. */
  title: string;
  isFull: boolean;
  /** The text is longer than what the model was trained on. */
  isPast: boolean;
}

/** What was written: the answers to a task's question, or how both runs continue a text without one. */
export function AnswerTexts({ freeRun, title, isFull, isPast }: AnswerTextsProps) {
  const { expectedAnswer, fullAnswer, answer, differsAt, generatedTexts } = freeRun;
  if (expectedAnswer === null) return <Continuations freeRun={freeRun} title={title} isFull={isFull} />;
  const isTelling = isAnswerTelling(fullAnswer?.right, isPast);
  return (
    <>
      <dl className={styles.answers}>
        <dt>expected</dt>
        <dd className={styles.text}>{expectedAnswer.trim()}</dd>
        <AnswerRow name="full" answer={fullAnswer} expected={expectedAnswer} isJudged={isTelling} />
        {!isFull && <AnswerRow name={title} answer={answer} expected={expectedAnswer} isJudged={isTelling} />}
      </dl>
      {!isTelling && (
        <p className={styles.remark}>
          Full attention itself does not answer this, so the answer says nothing about the method.
        </p>
      )}
      {answer?.right === false && differsAt && (
        <p className={styles.remark}>
          <DifferenceLine differsAt={differsAt} texts={generatedTexts?.method ?? []} />
        </p>
      )}
    </>
  );
}

interface AnswerRowProps {
  name: string;
  answer: AnswerMeasurement | null;
  expected: string;
  /** Right and wrong are shown only where they say something about the method. */
  isJudged: boolean;
}

function AnswerRow({ name, answer, expected, isJudged }: AnswerRowProps) {
  if (!answer) return null;
  return (
    <>
      <dt>{name}</dt>
      <dd className={styles.text} data-right={answer.right}>
        <span>
          <Invisible text={answer.text} />
          {answer.right
            ? answer.text.trim()
            : answerParts(answer.text.trim(), expected).map((part, at) =>
                part.isWrong ? (
                  // biome-ignore lint/suspicious/noArrayIndexKey: parts have no other identity
                  <mark key={at}>{part.text}</mark>
                ) : (
                  part.text
                ),
              )}
        </span>
        {isJudged && (
          <span className={styles.verdict}>
            <Hidden as="span">{answer.right ? 'right' : 'wrong'}</Hidden>
          </span>
        )}
      </dd>
    </>
  );
}

/** Both texts that follow, side by side, the method's marked from where they part. */
function Continuations({
  freeRun: { generatedTexts, differsAt },
  title,
  isFull,
}: Omit<AnswerTextsProps, 'isPast'>) {
  if (!generatedTexts) {
    return <Empty>This text asks no question, so there is no answer to check.</Empty>;
  }
  const { full, method } = generatedTexts;
  const parted = differsAt?.token ?? method.length;
  return (
    <>
      <dl className={styles.answers}>
        <dt>full continues</dt>
        <dd className={`${styles.text} ${styles.continuation}`}>
          <span>
            <Invisible text={full.join('')} />
            {full.join('')}
          </span>
        </dd>
        {!isFull && (
          <>
            <dt>{title}</dt>
            <dd className={`${styles.text} ${styles.continuation}`}>
              <span>
                <Invisible text={method.join('')} />
                {method.slice(0, parted).join('')}
                {parted < method.length && <mark>{method.slice(parted).join('')}</mark>}
              </span>
            </dd>
          </>
        )}
      </dl>
      {!isFull && (
        <p className={styles.remark}>
          {differsAt ? (
            <DifferenceLine differsAt={differsAt} texts={method} />
          ) : (
            `the same ${formatCount(method.length)} ${method.length === 1 ? 'token, the most likely one' : 'tokens, the most likely one each time'}`
          )}
        </p>
      )}
    </>
  );
}

/** What a text is that shows nothing: blanks, line ends, or nothing at all. */
function Invisible({ text }: { text: string }) {
  const name = text === '' ? 'nothing' : invisibleName(text);
  return name === null ? null : <em>{name}</em>;
}

interface DifferenceLineProps {
  differsAt: Difference;
  /** What the method wrote, token by token; up to the difference the expected text is the same. */
  texts: readonly string[];
}

/** “from the 7th token on: 5 instead of 9”; the first token is the 1st, and tokens that show nothing are not counted. */
function DifferenceLine({ differsAt: { token, written, expected }, texts }: DifferenceLineProps) {
  const before = texts.slice(0, token).filter((text) => invisibleName(text) === null).length;
  return (
    <>
      from the {formatRank(before + 1)} token on: <Written text={written} /> instead of{' '}
      <Written text={expected} />
    </>
  );
}

function Written({ text }: { text: string | null }) {
  return text === null ? 'nothing more' : <TokenName text={text} />;
}

/** An answer cut into runs of characters that agree with the expected one and runs that do not. */
interface AnswerPart {
  readonly text: string;
  readonly isWrong: boolean;
}

/**
 * Values (runs of letters and digits) are compared in order, character by character; what is between them does not count.
 */
export function answerParts(answer: string, expected: string): AnswerPart[] {
  const wanted = expected.match(/[\p{L}\p{N}]+/gu) ?? [];
  let value = 0;
  const parts: { text: string; isWrong: boolean }[] = [];
  const add = (text: string, isWrong: boolean): void => {
    const last = parts.at(-1);
    if (last && last.isWrong === isWrong) last.text += text;
    else parts.push({ text, isWrong });
  };
  for (const piece of answer.match(/[\p{L}\p{N}]+|[^\p{L}\p{N}]+/gu) ?? []) {
    if (!/[\p{L}\p{N}]/u.test(piece)) {
      add(piece, false);
      continue;
    }
    const right = wanted[value] ?? '';
    value += 1;
    for (const [at, character] of [...piece].entries()) add(character, character !== [...right][at]);
    if (piece.length < right.length) add('·'.repeat(right.length - piece.length), true);
  }
  return parts;
}
