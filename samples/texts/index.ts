/** The sample texts: each is `<id>.txt` in this folder. All of them together are the hay of the retrieval tasks. */
export const sampleTexts: readonly { readonly id: string; readonly title: string }[] = [
  { id: 'lighthouse', title: 'The lamp of the Gannet Rock' },
  { id: 'ferry', title: 'The ferry at Long Willows' },
  { id: 'bakery', title: 'Two bakeries in Cross Street' },
  { id: 'mountain-hut', title: 'The hut below the Three Brothers' },
  { id: 'clockmaker', title: 'The modest clock' },
  { id: 'botanist', title: 'An island of ferns' },
  { id: 'short', title: 'A short note' },
];
