/** What the argument checks of operations are built from: pure, the same for each backend. */
export * from './overlap';
export * from './views';
