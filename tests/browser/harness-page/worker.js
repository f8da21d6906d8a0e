// Answers whether a worker, where the engine lives, gets a WebGPU adapter; throws when told to.
onmessage = async ({ data }) => {
  if (data === 'throw') throw new Error('thrown in the worker');
  const adapter = await navigator.gpu?.requestAdapter();
  postMessage({ architecture: adapter?.info.architecture ?? null, isFallback: adapter?.info.isFallbackAdapter ?? null });
};
