// Fills the list on the front page from the API, which lies behind the same node.
const list = document.getElementById('products');

fetch('/api/products.json')
  .then((response) => (response.ok ? response.json() : Promise.reject(new Error(`status ${response.status}`))))
  .then(({ products }) => {
    list.replaceChildren(...products.map(({ name, price }) => {
      const item = document.createElement('li');
      const cost = document.createElement('span');
      cost.textContent = price;
      item.append(name, cost);
      return item;
    }));
  })
  .catch((error) => {
    list.textContent = `The API did not answer: ${error.message}.`;
  });
