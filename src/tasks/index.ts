/** Retrieval tasks: texts with a known answer, for the page, the tests and the training of the bundled model. */
export { isAnswerRight, parseAnswer } from './answer';
export { generateTask, taskList } from './generate';
export {
  type TaskId,
  type TaskRequest,
  type TaskTokenizer,
  taskIds,
} from './task';
