// What this browser remembers: theme, keys. Storage may be refused; then nothing is remembered.
export function kept(name) {
  try {
    return localStorage.getItem(`studio.${name}`);
  } catch {
    return null;
  }
}

export function keep(name, value) {
  try {
    localStorage.setItem(`studio.${name}`, value);
  } catch {
    // nothing to do
  }
}
