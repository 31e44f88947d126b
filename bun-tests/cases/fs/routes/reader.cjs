const { readFileSync } = require("fs");
module.exports = (path) => readFileSync(path);
