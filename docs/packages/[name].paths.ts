import { packageGuides } from "../site/guides.js";

// A guide per package: its README, which tests hold to what the package does, and where its API stands.
export default { watch: ["../../packages/*/README.md"], paths: () => packageGuides() };
