/** The address of a file of the site, which its build makes of a file of the repository. */
declare module "*?url" {
  const address: string;
  export default address;
}
