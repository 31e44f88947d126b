// Object.prototype made constant, so that no library can be fooled by what another one added to it.
import {
  defineProperty,
  defineValue,
  freeze,
  getOwnPropertyDescriptor,
  NativeError,
  ObjectPrototype,
  ownKeys,
} from "./primordials.ts";

/**
 * Freezes Object.prototype. A frozen data property would also forbid `object.toString = …` on every object that
 * inherits it; as accessors they let an object have its own.
 */
export function freezeObjectPrototype(): void {
  const names = ownKeys(ObjectPrototype);
  for (let index = 0; index < names.length; index++) {
    const name = names[index]!;
    const property = getOwnPropertyDescriptor(ObjectPrototype, name)!;
    if (!("value" in property)) continue;
    const { value } = property;
    defineProperty(ObjectPrototype, name, {
      get: () => value,
      set(this: object, own: unknown) {
        if (this === ObjectPrototype) throw new NativeError("Object.prototype is frozen");
        defineValue(this, name, own, true);
      },
      enumerable: false,
      configurable: false,
    });
  }
  freeze(ObjectPrototype);
}
