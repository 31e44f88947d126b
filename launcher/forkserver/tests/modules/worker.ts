declare const self: Worker;
self.onmessage = ({ data }) => postMessage({ sum: data[0] + data[1] + data[2], random: Math.random() !== 0 });
