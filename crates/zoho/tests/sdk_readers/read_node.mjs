// Prints the rows that the Node SDK's FileStore finds in a file, as JSON: a list of the ten columns for each.
// The first argument is the folder that has the SDK in its node_modules, the second the file.

const sdk = `${process.argv[2]}/node_modules/@zohocrm/nodejs-sdk-8.0/lib`;
const { FileStore } = await import(`${sdk}/models/authenticator/store/file_store.js`);

const columns = (token) => [
  token.getId(),
  token.getUserSignature()?.getName() ?? null,
  token.getClientId(),
  token.getClientSecret(),
  token.getRefreshToken(),
  token.getAccessToken(),
  token.getGrantToken(),
  token.getExpiresIn(),
  token.getRedirectURL(),
  token.getAPIDomain(),
];

const tokens = await new FileStore(process.argv[3]).getTokens();
console.log(JSON.stringify(tokens.map(columns)));
