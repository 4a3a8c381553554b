// Runs steps one after the other, in their order, and says which are done.
export async function run(steps) {
  for (const [name, step] of Object.entries(steps)) {
    try {
      await step();
    } catch (error) {
      console.error(`failed: ${name}`);
      throw error;
    }
    console.log(`ok: ${name}`);
  }
}
