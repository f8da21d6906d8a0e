/** What a method is chosen by beside its button: one piece to fetch. */
export { MethodList } from './MethodList';
export { MethodTable } from './MethodTable';
