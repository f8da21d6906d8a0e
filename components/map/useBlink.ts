import { useEffect, useState } from 'react';

const milliseconds = 900;

/** Alternates between full and selective; by hand alone where motion is not wanted. */
export function useBlink(isOn: boolean) {
  const [side, setSide] = useState<'full' | 'selective'>('full');
  const swap = () => setSide((before) => (before === 'full' ? 'selective' : 'full'));
  useEffect(() => {
    if (!isOn || matchMedia('(prefers-reduced-motion: reduce)').matches) return;
    const timer = setInterval(
      () => setSide((before) => (before === 'full' ? 'selective' : 'full')),
      milliseconds,
    );
    return () => clearInterval(timer);
  }, [isOn]);
  return { side, swap };
}
