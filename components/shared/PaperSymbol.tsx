/** A paper's symbol, with what follows "_" as its index: l_I, or f_θ, f_φ. */
export function PaperSymbol({ text }: { text: string }) {
  return (
    <i className="symbol">
      {text.split(/(_[^\s,_]+)/).map((part, at) =>
        part.startsWith('_') ? (
          // biome-ignore lint/suspicious/noArrayIndexKey: parts have no other identity
          <sub key={at}>{part.slice(1)}</sub>
        ) : (
          part
        ),
      )}
    </i>
  );
}
