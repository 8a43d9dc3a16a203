// What every function of `fs` does. Run by Node and by the engine alike: the results are in `tour.txt`,
// written by Node.
const { format, promisify } = require('util');
const { within, told: e } = require('./relative');
module.exports = async (real, d) => {
  const fs = within(d, real);
  const P = fs.promises;
  const lines = [];
  const log = (...args) => lines.push(format(...args));
  fs.writeFileSync('a','hello');
  fs.appendFileSync('a',' world');
  log(fs.readFileSync('a','utf8'),fs.readFileSync('a',{encoding:'base64'}),fs.readFileSync(Buffer.from(d + '/a')).length,fs.readFileSync(new URL('file://'+d+'/a'),'latin1'));
  let fd=fs.openSync('b','w+');
  log(fs.writeSync(fd,'abcdef'),fs.writeSync(fd,Buffer.from('XY'),0,2,1),fs.writeSync(fd,'Q',10),fs.readFileSync('b').toString('hex'));
  let buf=Buffer.alloc(8);
  log(fs.readSync(fd,buf,0,4,0),buf.toString('hex'),fs.readSync(fd,buf),fs.readSync(fd,buf,{position:2,length:3}),buf.toString('hex'));
  fs.ftruncateSync(fd,3);
  log(fs.fstatSync(fd).size,fs.readFileSync('b','utf8'));
  fs.ftruncateSync(fd,6);
  log(fs.readFileSync('b').toString('hex'));
  log(fs.writevSync(fd,[Buffer.from('12'),Buffer.from('345')],1),fs.readFileSync('b').toString('hex'));
  const v=[Buffer.alloc(2),Buffer.alloc(3)];
  log(fs.readvSync(fd,v,0),v.map(String));
  fs.closeSync(fd);
  fd=fs.openSync('b','a');
  fs.writeSync(fd,'END',0);
  fs.closeSync(fd);
  log(fs.readFileSync('b','latin1').slice(-3));
  fs.mkdirSync('t/u/v',{recursive:true});
  fs.writeFileSync('t/1','1');
  fs.writeFileSync('t/u/2','2');
  fs.symlinkSync('../1','t/u/l');
  fs.symlinkSync(d+'/t','abs');
  log(fs.readdirSync('t'),fs.readdirSync('t',{recursive:true}),fs.readdirSync('t/u',{withFileTypes:true}).map(x=>[x.name,x.path,x.isFile(),x.isDirectory(),x.isSymbolicLink()]),fs.readdirSync('abs','buffer'));
  log(fs.realpathSync('abs/u/l'),fs.readlinkSync('abs'),fs.lstatSync('abs').isSymbolicLink(),fs.statSync('abs').isDirectory(),fs.readFileSync('abs/u/l','utf8'),fs.lstatSync('abs').size);
  fs.linkSync('a','a2');
  log(fs.statSync('a').nlink,fs.statSync('a').ino===fs.statSync('a2').ino);
  fs.unlinkSync('a');
  log(fs.statSync('a2').nlink);
  fs.renameSync('a2','t/moved');
  log(fs.existsSync('a2'),fs.existsSync('t/moved'));
  fs.renameSync('t/u','w');
  log(fs.readdirSync('w'),fs.statSync('t').nlink,fs.statSync('w').nlink);
  fs.utimesSync('t/1',1,2.5);
  let s=fs.statSync('t/1');
  log(s.atimeMs,s.mtimeMs,s.mtime.toISOString());
  fs.utimesSync('t/1',new Date(5e3),'7');
  s=fs.statSync('t/1',{bigint:true});
  log(s.atimeNs,s.mtimeMs,s.size,typeof s.ino,s.isFile());
  fs.chmodSync('t/1','600');
  log((fs.statSync('t/1').mode).toString(8));
  fs.mkdirSync('m',0o700);
  log(fs.statSync('m').mode.toString(8));
  fs.writeFileSync('mf','',{mode:0o640});
  log(fs.statSync('mf').mode.toString(8));
  fs.copyFileSync('t/1','c');
  log(fs.readFileSync('c','utf8'),fs.statSync('c').mode.toString(8));
  fs.cpSync('t','tt',{recursive:true,filter:(a,b)=>!a.endsWith('moved')});
  log(fs.readdirSync('tt',{recursive:true}));
  fs.cpSync('w','tt/w',{recursive:true});
  log(fs.readlinkSync('tt/w/l'));
  fs.truncateSync('c',0);
  log(fs.statSync('c').size);
  fs.rmSync('tt',{recursive:true});
  log(fs.existsSync('tt'));
  log(fs.mkdtempSync('q-').length,(fs.statSync(fs.mkdtempSync(d+'/z')).mode).toString(8));
  const dir=fs.opendirSync('t');
  let n=[];
  for await(const x of dir)n.push(x.name);
  log(n.sort(),dir.path);
  try { dir.readSync() } catch (x) { log(e(x)) }
  // unlinked open file
  fd=fs.openSync('gone','w+');
  fs.writeSync(fd,'still');
  fs.unlinkSync('gone');
  b=Buffer.alloc(5);
  fs.readSync(fd,b,0,5,0);
  log(String(b),fs.fstatSync(fd).nlink);
  fs.closeSync(fd);
  // callbacks and order
  const order=[];
  await new Promise(r=>{fs.readFile('c',(er,x)=>{order.push('cb');setImmediate(r)});process.nextTick(()=>order.push('tick'));Promise.resolve().then(()=>order.push('micro'))});
  log(order);
  await new Promise(r=>fs.stat('nope',(er,...x)=>{log(e(er),x.length);r()}));
  await new Promise(r=>fs.mkdir('cbd',(...x)=>{log(x);r()}));
  await new Promise(r=>fs.exists('cbd',x=>{log(x);r()}));
  await new Promise(r=>fs.open('c','r+',(er,f)=>fs.write(f,'abc',(er,n,x)=>fs.read(f,Buffer.alloc(4),0,4,0,(er,k,y)=>{log(n,x,k,y);fs.close(f,(...z)=>{log(z);r()})}))));
  log(await promisify(real.exists)(d + '/c'));
  fd=fs.openSync('c');
  log(await promisify(real.read)(fd,Buffer.alloc(3),0,3,0));
  fs.closeSync(fd);
  for(const [n,f] of Object.entries({open:()=>P.open('no'),read:()=>P.readFile('no'),bad:()=>P.readFile(3.5),stat:()=>P.stat('no'),rm:()=>P.rm('no'),rmd:()=>P.rm('t'),cp:()=>P.cp('no','x'),realpath:()=>P.realpath('no/x'),mk:()=>P.mkdir('t'),mkr:()=>P.mkdir('t',{recursive:true}),access:()=>P.access('no'),rd:()=>P.readdir('no'),ul:()=>P.unlink('t'),tr:()=>P.truncate('no'),rl:()=>P.readlink('c'),od:()=>P.opendir('no'),wf:()=>P.writeFile('no/x','1'),ut:()=>P.utimes('no',1,1),sl:()=>P.symlink('x','c'),lk:()=>P.link('no','x'),cf:()=>P.copyFile('no','x'),lchmod:()=>P.lchmod('c',1),wo:()=>P.writeFile('c',{}) })) await f().then(x=>log(n,'ok',x),x=>log(n,e(x)));
  const h=await P.open('h','w+');
  log(await h.write('hello'),(await h.read(Buffer.alloc(3),0,3,1)),(await h.stat()).size,await h.readFile('utf8'));
  await h.truncate(2);
  await h.appendFile('!!');
  log(JSON.stringify(fs.readFileSync('h','latin1')));
  await h.writev([Buffer.from('zz')]);
  log(await h.readv([Buffer.alloc(2)],0));
  await h.close();
  await h.read(Buffer.alloc(1)).catch(x=>log(e(x)));
  await P.writeFile('it',(async function*(){yield 'one ';yield Buffer.from('two')})());
  await P.appendFile('it',' three');
  log(await P.readFile('it','utf8'));
  await P.writeFile('c','x',{signal:AbortSignal.abort()}).catch(x=>log(x.name,x.code));
  await new Promise(r=>fs.readFile('c',{signal:AbortSignal.abort()},x=>{log(x.name);r()}));
  log(await P.readdir('t'),(await P.lstat('abs')).isSymbolicLink(),await P.realpath('abs'));
  await P.rm('t',{recursive:true});
  log(fs.existsSync('t'));
  log(Object.keys(fs.statfsSync('c')));
  try { fs.readFileSync('c','utf-9') } catch (x) { log(e(x)) }
  try { fs.writeFileSync(1.5,'') } catch (x) { log(e(x)) }
  try { fs.openSync('c',{} ) } catch (x) { log(e(x)) }
  try { fs.mkdirSync('c/x/y',{recursive:1}) } catch (x) { log(e(x)) }
  try { fs.readSync('x') } catch (x) { log(e(x)) }
  try { fs.closeSync(-1) } catch (x) { log(e(x)) }
  try { fs.writeSync(1,Buffer.alloc(3),5) } catch (x) { log(e(x)) }
  try { fs.chownSync('c','a',1) } catch (x) { log(e(x)) }
  try { fs.copyFileSync('c',5) } catch (x) { log(e(x)) }
  try { fs.renameSync('c') } catch (x) { log(e(x)) }
  try { fs.readdirSync('c',{encoding:'zz'}) } catch (x) { log(e(x)) }
  try { fs.symlinkSync(1,2) } catch (x) { log(e(x)) }
  try { fs.utimesSync('c') } catch (x) { log(e(x)) }
  try { fs.rmSync('c',{force:1}) } catch (x) { log(e(x)) }
  try { fs.truncateSync('c','1') } catch (x) { log(e(x)) }
  await new Promise(r=>fs.createReadStream('it',{start:4,end:6,encoding:'utf8'}).on('data',x=>log('data',x)).on('open',f=>log('open',typeof f)).on('ready',()=>log('ready')).on('end',()=>log('end')).on('close',()=>{log('close');r()}));
  return lines;
};
