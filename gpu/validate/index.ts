/** Argument checks of every operation: pure, the same for each backend. */
export * from './decoder';
export * from './measurement';
export * from './overlap';
export * from './selection';
export * from './views';
