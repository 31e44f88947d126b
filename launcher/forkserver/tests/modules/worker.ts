// Adds what it is sent.
globalThis.onmessage = ({ data }: MessageEvent<number[]>) =>
  postMessage({ sum: data.reduce((sum, each) => sum + each), random: Math.random() !== 0 });
