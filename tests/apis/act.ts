// Does one act of preload/apis.json and tells how it went. `ACT`, `OUTSIDE` and `PORT` are put in by the test.
const OUTSIDE = "[OUTSIDE]";
const PORT = 12345;
const DEADLINE_MS = 5_000;

let style: string | null = null;

/** A callback API as a promise. */
function called(act: (callback: (error?: unknown, value?: unknown) => void) => unknown): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const callback = (error?: unknown, value?: unknown) => {
      style = "callback";
      if (error) reject(error);
      else resolve(value);
    };
    try {
      act(callback);
    } catch (error) {
      style = "throw";
      reject(error);
    }
  });
}

/** An emitter's next event, or its `error`, as a promise. */
function heard(make: () => any, event: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    try {
      const emitter = make();
      emitter.once("error", (error: unknown) => {
        style = "event";
        reject(error);
      });
      emitter.once(event, resolve);
    } catch (error) {
      style = "throw";
      reject(error);
    }
  });
}

/** A socket of the web that opens, or does not, as a promise. */
function opened(make: () => any): Promise<unknown> {
  return new Promise((resolve, reject) => {
    try {
      const socket = make();
      socket.onopen = resolve;
      socket.onerror = () => {
        style = "event";
        reject(Object.assign(new Error("it does not open"), { name: "CloseEvent" }));
      };
    } catch (error) {
      style = "throw";
      reject(error);
    }
  });
}

/** A worker's first message as a promise. */
function answered(make: () => any): Promise<unknown> {
  return new Promise((resolve, reject) => {
    try {
      const worker = make();
      const end = (act: () => void) => {
        worker.terminate();
        act();
      };
      worker.onmessage = () => end(() => resolve(1));
      worker.onerror = (event: any) => end(() => reject(event));
      worker.on?.("message", () => end(() => resolve(1)));
    } catch (error) {
      style = "throw";
      reject(error);
    }
  });
}

/** All that an iterable gives. */
async function all(items: any): Promise<unknown[]> {
  const list = [];
  for await (const item of items) list.push(item);
  return list;
}

function act(): unknown {
  return ACT;
}

export default async function attempt(): Promise<object> {
  try {
    const going = act();
    let value = going;
    if (typeof (going as any)?.then === "function") {
      style ??= "reject";
      let timer;
      const late = new Promise((_, reject) => {
        timer = setTimeout(reject, DEADLINE_MS, Object.assign(new Error("it takes too long"), { code: "LATE" }));
      });
      value = await Promise.race([going, late]);
      clearTimeout(timer);
    }
    if (Array.isArray(value) && value.length === 0) return { worked: false, style, name: "nothing" };
    return { worked: true };
  } catch (error: any) {
    const { name, code, permission, message } = error ?? {};
    return { worked: false, style: style ?? "throw", name, code, permission, message };
  }
}
