/** The sample texts: each is `<id>.txt` in this folder. All of them together are the hay of the retrieval tasks. */
export const sampleTexts: readonly { readonly id: string; readonly title: string }[] = [
  { id: 'short', title: 'A short note' },
];
