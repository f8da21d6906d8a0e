/** The texts that come with the program; `sample` in links is the id of one. */
export { sampleTexts as sampleList } from '../../samples/texts';
